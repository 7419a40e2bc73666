"""Looking after a gallery as a whole: checking, erasing, exporting, copying, another model."""
