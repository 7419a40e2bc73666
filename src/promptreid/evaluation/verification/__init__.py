"""Pairs of images: are they of one identity? Exact rates, curves and open-set identification."""
