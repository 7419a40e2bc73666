"""The threshold for the same identity: how it is chosen, what it promises, how sure that is."""
