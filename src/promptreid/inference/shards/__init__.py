"""Embeddings of any number of images as Parquet files that any number of processes make.

A shard is a range of rows of a table of images. What it holds depends on the job alone, never on
the process that computes it, so that shards are the same bytes however they were made.
"""
