"""Embeddings in the plane: t-SNE, UMAP and principal components."""
