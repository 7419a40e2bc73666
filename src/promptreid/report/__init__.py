"""Figures of runs: t-SNE of embeddings, activation maps over images.

The functions return matplotlib figures and draw nothing by themselves. Matplotlib and scikit-learn
come with the extra `report` and are imported where they are used.
"""
