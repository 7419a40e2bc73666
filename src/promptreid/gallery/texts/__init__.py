"""Searching a gallery by sentences, alone or beside a picture.

`text_index` holds the vectors that compare with sentences, `text_search` ranks by them, and
`text_answer` is what comes out. Sentences rank; whether nobody fits is not decided.
"""
