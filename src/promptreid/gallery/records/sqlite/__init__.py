"""Records in a folder: one file of SQLite holds everything that must not be lost."""
