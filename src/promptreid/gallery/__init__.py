"""Galleries: who was enrolled, by which model, and how sure an answer about a new picture is.

`gallery.Gallery` is what commands and programs use. `records` holds what must not be lost;
everything else is made from it in memory. The room imports models through `inference` alone.
"""
