"""Text tables as people have them: `reader.read_table` is the one way in.

`text` turns bytes into text, `dialect` finds what separates the columns, `quotes` finds where a
quotation mark opens, `messages` says where in a table something is. No other room reads a table.
"""
