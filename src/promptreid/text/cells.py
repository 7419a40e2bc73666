"""Cells of tables that other programs open: spreadsheets and Markdown."""

from __future__ import annotations

import re
from typing import Any

from promptreid.text.safe import visible

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
# Only what is markup where it stands: an underscore inside a word, a bracket without a link and an
# ampersand without an entity are read as they are.
_MARKUP = re.compile(r"(?P<mark>[\\`*<|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|(?<=\])\()")


def csv_cell(value: Any) -> Any:
    """Keep a spreadsheet from reading a name as a formula.

    Numbers, None and texts that are numbers stay as they are. Another text that begins with `=`,
    `+`, `-`, `@`, a tab or a return gets an apostrophe before it, which spreadsheets take as "this
    is text".
    """
    if not isinstance(value, str):
        return value
    # Spreadsheets skip spaces before a formula.
    opened = value.lstrip(" \n").startswith(_FORMULA) and not _NUMBER.fullmatch(value)
    return visible(f"'{value}" if opened else value)


def markdown_cell(text: str) -> str:
    """Keep a name from being read as markup in a table of Markdown."""
    return _MARKUP.sub(r"\\\g<mark>", visible(text))
