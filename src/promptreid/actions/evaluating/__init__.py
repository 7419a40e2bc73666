"""Scoring models on data sets: what is asked for, what is computed, and how it is said."""
