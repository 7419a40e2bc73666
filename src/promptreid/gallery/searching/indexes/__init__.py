"""Indexes of vectors: what each can do, the kinds of them, and which one a gallery has."""
