"""Figures of runs: learning curves, scores, rank lists, embeddings, activation maps.

The functions return matplotlib figures and draw nothing by themselves. Matplotlib and scikit-learn
come with the extra `report` and are imported where they are used.
"""
