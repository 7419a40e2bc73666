"""What `promptreid quickstart` does: commands that are printed and run, and what they are for."""
