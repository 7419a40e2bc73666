"""Files of published CLIP-ReID, read and written."""
