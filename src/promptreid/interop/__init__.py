"""Models of other projects in, other formats out."""
