"""The command line: one file a command, imported when it is called.

A command takes its options by name, as click passes them, so it may have many arguments.
"""
