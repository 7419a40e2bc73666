"""Tables of images for work that reads each image once: files, tar shards, Parquet of bytes."""
