"""Words for people: safe text, tables, lists, names, suggestions.

Everything that leaves the program as text passes through this room, so that any name survives any
terminal, file, figure and page. It imports only the standard library and `promptreid.errors`.
"""
