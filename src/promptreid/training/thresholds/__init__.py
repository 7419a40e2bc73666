"""The threshold that a trained run keeps, and the images on which it may be chosen."""
