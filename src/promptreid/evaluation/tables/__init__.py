"""Scores as plain-text tables for people."""
