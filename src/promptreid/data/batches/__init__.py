"""Which images make up a batch, and batches made ahead of time."""
