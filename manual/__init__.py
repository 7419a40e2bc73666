"""The manual: `docs/` and what is made from recipes and docstrings, built into a site.

`make docs` builds it into `build/manual/site`. It is outside of the wheel.
"""
