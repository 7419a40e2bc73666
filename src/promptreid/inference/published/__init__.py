"""Files of published code, read: CLIP-ReID's, which are written too, TransReID's, SOLIDER's."""
