"""What records in SQLite and in PostgreSQL have in common: the statements that both understand.

`sql_store.py` says what a store brings along; the other files are parts of the records, which
`sqlite` and `postgres` complete by what each of them does in its own way.
"""
