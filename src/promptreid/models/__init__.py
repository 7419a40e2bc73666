"""The model of re-identification: towers, prompts, additions, heads, and the whole of them."""
