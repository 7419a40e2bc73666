"""What clients may ask for, by subject; a route reads, calls the gallery once, and answers."""
