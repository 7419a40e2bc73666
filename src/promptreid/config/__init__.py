"""Typed recipes and sweeps: what may be set, without the code that does it."""
