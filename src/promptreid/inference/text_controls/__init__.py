"""Controls that show whether the text of a model matters: exchanged words, swapped domains."""
