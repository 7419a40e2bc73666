"""Trained models at work: images in, embeddings and texts out."""
