"""Query expansion and k-reciprocal re-ranking, exact and in blocks."""
