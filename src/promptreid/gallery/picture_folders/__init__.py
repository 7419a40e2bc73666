"""Folders of pictures that nobody enrolled: each is a gallery in the user's cache, kept up to date.

`picture_list` says which pictures there are and whom they show, `picture_gallery` brings the
gallery in line with them, `picture_log` remembers what was read, and `search_cache` bounds it all.
"""
