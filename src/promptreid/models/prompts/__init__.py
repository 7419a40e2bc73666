"""Prompts: what produces the text features that images are compared with."""
