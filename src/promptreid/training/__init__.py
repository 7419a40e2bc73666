"""Training: runs, their stages, and the thresholds they keep."""
