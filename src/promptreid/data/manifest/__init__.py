"""The checked table of samples that every data set becomes, and the names in it."""
