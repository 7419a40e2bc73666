"""Models as files for other programs; imported by `promptreid.inference.embedder`."""
