"""Image files: found, opened, decoded, cut, turned upright, resized and kept."""
