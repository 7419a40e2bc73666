"""From a folder of pictures to a search page: what `promptreid quickstart` does, step by step."""
