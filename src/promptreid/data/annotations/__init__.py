"""Files of annotation tools: boxes on pictures, and whom each of them shows."""
