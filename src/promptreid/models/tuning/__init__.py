"""Small trained additions to the image tower: LoRA, visual prompts, the grouping adapter."""
