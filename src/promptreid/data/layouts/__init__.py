"""Data sets written out in layouts that other tools read."""
