"""What people do, whether they type a command or write Python: load, train, score, search, report.

Each function takes the words of the command of its name and returns an object that says in words
what the command prints. Nothing here prints or knows options.
"""
