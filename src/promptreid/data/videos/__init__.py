"""Videos: which there are, their frames as images on disk, and tables of boxes on them."""
