"""Embeddings of images with what is known of each image: the input of every evaluation."""
