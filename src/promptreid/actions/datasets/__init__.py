"""What people do with data sets: read, list, render and export them, and free the disk."""
