"""Loss terms: each a pure function of what one forward pass gives."""
