"""The page of search results: one HTML file that needs nothing else, not even a script.

`search_results` says what is on it, `gather_results` takes it from a gallery, and `render_results`
writes it. Colours, type and the album of pictures are those of the page of a report.
"""
