"""Backbones, prompts, heads, and the model that composes them."""
