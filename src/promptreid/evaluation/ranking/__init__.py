"""Retrieval: exact ranks of the matches of each query, and the scores that follow from them."""
