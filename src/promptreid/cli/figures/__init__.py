"""The commands of `promptreid figure`, and what all of them share."""
