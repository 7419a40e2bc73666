"""Recipes as people write them: YAML, overrides, spellings, and what a wrong key meant."""
