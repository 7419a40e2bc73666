"""Searching a gallery, or a plain folder of pictures: what is searched, and what was found."""
