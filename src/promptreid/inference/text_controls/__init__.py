"""Whether the text of a model matters: scores with exchanged words and swapped domains."""
