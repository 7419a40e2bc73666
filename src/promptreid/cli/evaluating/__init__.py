"""The parts of `promptreid evaluate`: its request, the scoring of models, and what it prints."""
