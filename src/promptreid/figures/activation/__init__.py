"""Activation maps: where a model looks."""
