"""Image towers that came without a text tower: OSNet, TransReID's transformers."""
