"""Speed, measured side by side: each benchmark runs the plain formulation and the library's.

Both run in one process on the same inputs, and their results are compared. See
`docs/benchmarks.md`.
"""
