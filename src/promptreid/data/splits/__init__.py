"""Who trains, who validates and who is tested, and that nobody does two of these by accident."""
