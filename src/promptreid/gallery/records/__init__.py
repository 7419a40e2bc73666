"""What a gallery must not lose: entries, vectors, identities, models and the null sample.

`record_store.py` says what any store of records can do; `sqlite` is one in a folder.
"""
