"""The stages of a recipe: batches, step, optimizer, schedule, state, and the trainer."""
