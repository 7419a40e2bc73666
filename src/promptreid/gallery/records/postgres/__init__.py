"""Records in a schema of a PostgreSQL database, with vectors as columns that pgvector searches.

`postgres_records.py` is what `open_records` gives; the other files are parts of it. This folder
needs the extra `postgres`, so that nothing imports it but where such a gallery is opened.
"""
