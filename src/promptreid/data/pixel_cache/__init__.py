"""Decoded and resized pixels kept on disk, shared by processes and runs."""
