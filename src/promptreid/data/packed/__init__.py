"""Tables of images for work that reads each image once, wherever the bytes lie."""
