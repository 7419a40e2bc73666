"""Rendered hands."""
