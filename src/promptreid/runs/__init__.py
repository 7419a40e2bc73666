"""The folder that a run leaves, and its typed records.

May import `config`, `data` and what lies below them; knows no model and no training.
"""
