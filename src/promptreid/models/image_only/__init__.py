"""Image towers that came without a text tower: OSNet, the transformers of TransReID and SOLIDER."""
