"""Files of published code, read: those of CLIP-ReID, of TransReID and of SOLIDER."""
