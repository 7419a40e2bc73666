"""The stages of a recipe: steps, losses, optimizer, schedule, validation, and the trainer."""
