"""CLIP-based re-identification: train, evaluate, explain and serve."""

__version__ = "0.1.0"
