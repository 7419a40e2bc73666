"""Cells in quotation marks: where they open, where they close, what they swallow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptreid.data.tables.dialect import Dialect
from promptreid.data.tables.table_messages import name_place
from promptreid.data.tables.table_text import count_breaks
from promptreid.errors import DataError

_FILE_NAME = re.compile(r".*\.\w{1,5}", re.DOTALL)
_MEND = 'Close or remove it; within a text in quotation marks, write a mark twice ("").'


@dataclass(frozen=True)
class QuotedCell:
    """A cell between quotation marks.

    Attributes:
        column: 0-based position in its row.
        opens: 0-based line of the row in which the first mark is.
        closes: 0-based line in which the last mark is; None when there is none.
    """

    column: int
    opens: int
    closes: int | None


def quoted_cells(text: str, dialect: Dialect) -> list[QuotedCell]:
    """Find the quoted cells of one row, up to the first that is not well closed."""
    cells: list[QuotedCell] = []
    at = column = 0
    while at < len(text):
        start = at
        while dialect.skip_space and text.startswith(" ", start):
            start += 1
        if text.startswith('"', start):
            opens = count_breaks(text[:start])
            at = _closing(text, start + 1)
            if at < 0:
                return [*cells, QuotedCell(column, opens, None)]
            cells.append(QuotedCell(column, opens, count_breaks(text[:at])))
            at += 1
            if at < len(text) and text[at] not in (dialect.delimiter, "\n", "\r"):
                return cells
        else:
            end = text.find(dialect.delimiter, start)
            at = len(text) if end < 0 else end
        at, column = at + 1, column + 1
    return cells


def _closing(text: str, at: int) -> int:
    """Return where a quoted cell ends; two marks after each other stand for one of the text."""
    while (at := text.find('"', at)) >= 0:
        if not text.startswith('"', at + 1):
            return at
        at += 2
    return -1


def explain_broken_quote(
    file: Path, text: str, dialect: Dialect, *, line: int, header: Sequence[str]
) -> str:
    """Say where the quotation mark opens that makes a row unreadable.

    Args:
        file: The table.
        text: The row, as far as it was read.
        dialect: How the table is written.
        line: Line of the file where the row begins.
        header: Names of the columns, empty while the header itself is read.
    """
    cells = quoted_cells(text, dialect)
    if not cells:
        return f"{name_place(file, line)}: the quotation marks cannot be read. {_MEND}"
    last = cells[-1]
    where = name_place(file, line + last.opens, _name(header, last.column))
    if last.closes is None:
        return f"{where}: a quotation mark opens here and is never closed. {_MEND}"
    close = "in the same line" if last.closes == last.opens else f"in line {line + last.closes}"
    return (
        f"{where}: a quotation mark opens here and the next one, {close}, does not end its cell. "
        f"{_MEND}"
    )


def check_breaks(
    file: Path,
    rows: Sequence[str],
    dialect: Dialect,
    *,
    line: int,
    header: Sequence[str],
    keys: Sequence[str],
) -> None:
    """Refuse a cell that swallows rows: its quotation mark closes lines later, by chance.

    A cell of the columns in `keys` never holds a line break. Another may, unless one of its lines
    looks like a row: as many cells as the header has names, with a file name in the first of
    `keys`.

    Args:
        file: The table.
        rows: The lines of one row.
        dialect: How the table is written.
        line: Line of the file where the row begins.
        header: Names of the columns.
        keys: Columns that tell rows apart, the one with file names first.

    Raises:
        DataError: A cell swallows rows; the line where its quotation mark opens is named.
    """
    first = header.index(keys[0]) if keys and keys[0] in header else None
    for cell in quoted_cells("".join(rows), dialect):
        if cell.closes is None or cell.closes == cell.opens:
            continue
        name = _name(header, cell.column)
        where = name_place(file, line + cell.opens, name)
        opens = f"a quotation mark opens here and closes in line {line + cell.closes}"
        if name in keys:
            raise DataError(f"{where}: {opens}; this cell cannot hold a line break. {_MEND}")
        for number in range(cell.opens + 1, cell.closes + 1):
            cells = dialect.split(rows[number])
            named = first is not None and first < len(cells)
            if len(cells) == len(header) and named and _FILE_NAME.fullmatch(cells[first].strip()):
                raise DataError(
                    f"{where}: {opens}, but line {line + number} between them looks like a row of "
                    f"its own. {_MEND}"
                )


def _name(header: Sequence[str], column: int) -> str:
    return (header[column] if column < len(header) else "") or str(column + 1)
