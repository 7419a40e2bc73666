"""Rendered hands and people: free data for the demo, the tests and the weights of `tiny`."""
