"""Tables in plain text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from promptreid.text.safe import visible


def count_columns(text: str) -> int:
    """Count the columns of a terminal that a text takes: two for an East Asian wide letter."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(letter)
        else 2
        if unicodedata.east_asian_width(letter) in "WF"
        else 1
        for letter in text
    )


def plain_table(rows: Sequence[Sequence[str]], *, right: Sequence[bool]) -> list[str]:
    """Align columns with two spaces between them.

    Args:
        rows: Cells, the header first; all rows of one length. What cannot be seen in a cell is
            written out.
        right: For each column, whether it is aligned to the right.

    Returns:
        One line a row, without spaces at the end.
    """
    cells = [[visible(cell) for cell in row] for row in rows]
    widths = [max(count_columns(row[column]) for row in cells) for column in range(len(right))]
    return [
        "  ".join(
            " " * (width - count_columns(cell)) + cell
            if flush
            else cell + " " * (width - count_columns(cell))
            for cell, width, flush in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
