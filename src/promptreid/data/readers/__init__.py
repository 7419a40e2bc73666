"""One reader a data set or layout: a folder or table in, a checked manifest out."""
