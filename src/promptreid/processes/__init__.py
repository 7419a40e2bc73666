"""Several processes that train one model: who they are, what they share out, and what they sum."""
