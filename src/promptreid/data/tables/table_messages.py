"""Where in a table something is, and what is in a cell, as messages say it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptreid.text.lists import shorten_list

_LONGEST = 60


def name_place(file: Path, line: int, column: str | None = None) -> str:
    """Name a place in a table: its line, counted from 1, and its column unless that is None."""
    return f"{file}, line {line}" + (f", column {column}" if column is not None else "")


def quote_cell(cell: str) -> str:
    """Quote a cell, shortened when it is long."""
    if len(cell) <= _LONGEST:
        return repr(cell)
    return f"{cell[:_LONGEST]!r}… ({len(cell):,} characters)"


def list_columns(names: Sequence[str], *, limit: int = 12) -> str:
    """List the columns of a header; those without a name are said to have none."""
    return shorten_list([name or "(no name)" for name in names], limit=limit)
