"""Image and text towers of CLIP, and what makes them fast."""
