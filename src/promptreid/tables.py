"""Tables in plain text."""

from __future__ import annotations

from collections.abc import Sequence


def plain_table(rows: Sequence[Sequence[str]], *, right: Sequence[bool]) -> list[str]:
    """Align columns with two spaces between them.

    Args:
        rows: Cells, the header first; all rows of one length.
        right: For each column, whether it is aligned to the right.

    Returns:
        One line a row, without spaces at the end.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(right))]
    return [
        "  ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]
