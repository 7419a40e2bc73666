"""Read a table of text strictly: what cannot be meant is an error, what is left out is said."""

from __future__ import annotations

import csv
import re
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from promptreid.data.tables.dialect import Dialect, find_dialect
from promptreid.data.tables.quotes import check_breaks, explain_broken_quote
from promptreid.data.tables.table_messages import list_columns, name_place, quote_cell
from promptreid.data.tables.table_text import read_text, split_lines
from promptreid.errors import DataError
from promptreid.text.lists import counted, shorten_list

_LARGEST_CELL = 2**31 - 1  # characters
_INDEX = re.compile(r"Unnamed: [0-9]+(\.[0-9]+)*")
"""Names that pandas gives to columns without one when it reads a table."""
_EXAMPLES = 3
_LIMIT = threading.Lock()
"""One table is read at a time, since the limit on the size of a cell is the whole process's."""


@dataclass(frozen=True)
class Table:
    """A table of text as read: cells by column, and the line that each row came from.

    Attributes:
        file: The file that was read.
        columns: Column name to one cell per row.
        lines: 1-based line of the file in which each row begins, as an editor counts.
        notes: Sentences about what was left out.
    """

    file: Path
    columns: dict[str, list[str]]
    lines: list[int]
    notes: tuple[str, ...] = ()

    def at(self, row: int, column: str | None = None) -> str:
        """Name the place of a row, or of its cell in a column, for messages."""
        return name_place(self.file, self.lines[row], column)

    def select(self, rows: Sequence[int], notes: tuple[str, ...] = ()) -> Table:
        """Return a table of some rows, in the order given, with notes on what was left out."""
        columns = {name: [cells[row] for row in rows] for name, cells in self.columns.items()}
        return Table(self.file, columns, [self.lines[row] for row in rows], self.notes + notes)

    def with_columns(self, columns: dict[str, list[str]], notes: tuple[str, ...] = ()) -> Table:
        """Return the same rows with other columns, and notes on these."""
        return replace(self, columns=columns, notes=self.notes + notes)

    def stripped(self) -> Table:
        """Return the table without space around its cells."""
        columns = {name: [cell.strip() for cell in cells] for name, cells in self.columns.items()}
        return replace(self, columns=columns)


class _Record(NamedTuple):
    """A row: its 1-based first and last line, and its cells."""

    line: int
    last: int
    cells: list[str]


def read_table(file: Path, *, keys: Sequence[str] = (), exact: bool = False) -> Table:
    """Read a table with a header line.

    Columns are separated by commas, semicolons, tabs or `|`; a first line such as `sep=;` is
    heeded. Blank lines are left out. Columns without a name and empty cells behind the last column
    are left out with a note.

    Args:
        file: The table; see `text.read_text` for its encoding.
        keys: Columns that the caller needs, that of file names first. They help to find the
            delimiter, and their cells hold no line break.
        exact: The file was written by promptreid: every space and line break counts.

    Returns:
        The table. Cells are as written, names of columns without space around them.

    Raises:
        DataError: When the file cannot be read, a column is named twice, a quotation mark is left
            open, or a line has too few or too many cells; file, line and column are named.
    """
    lines = split_lines(read_text(file, exact=exact))
    dialect = find_dialect(lines, keys=keys, exact=exact)

    def check(record: _Record, header: Sequence[str], keys: Sequence[str]) -> None:
        if record.last > record.line and not exact:
            rows = lines[record.line - 1 : record.last]
            check_breaks(file, rows, dialect, line=record.line, header=header, keys=keys)

    rows: list[list[str]] = []
    starts: list[int] = []
    longer: list[int] = []
    with _large_cells():
        records = _records(file, lines, dialect)
        first = next(records, _Record(1, 1, []))
        header = first.cells if exact else [name.strip() for name in first.cells]
        numbered = [str(number) for number in range(1, len(header) + 1)]
        check(first, numbered, numbered)
        _check_header(file, header, first.line)
        for record in records:
            line, cells = record.line, record.cells
            if not any(map(str.strip, cells)):
                continue
            check(record, header, keys)
            if not rows and not exact and _begins_with_number(cells, header):
                header.insert(0, "")
            if len(cells) != len(header):
                if len(cells) < len(header) or any(map(str.strip, cells[len(header) :])):
                    raise DataError(_wrong_count(file, line, header, cells, dialect))
                longer.append(line)
                del cells[len(header) :]
            starts.append(line)
            rows.append(cells)
    columns = [list(cells) for cells in zip(*rows, strict=True)] or [[] for _ in header]
    if len(header) > len(first.cells):
        if len(rows) == 1:
            raise DataError(_wrong_count(file, starts[0], header[1:], rows[0], dialect))
        _check_counted(file, columns[0], starts)
    nameless = [] if exact else [at for at, name in enumerate(header) if _has_no_name(name)]
    notes = [_left_out(file, at, header[at], columns[at]) for at in nameless]
    if longer:
        notes.append(
            f"{file.name}: empty cells behind the last column were left out in {len(longer):,} of "
            f"{len(starts):,} rows, first in line {longer[0]}."
        )
    named = {name: columns[at] for at, name in enumerate(header) if at not in nameless}
    return Table(file, named, starts, tuple(notes))


def _records(file: Path, lines: Sequence[str], dialect: Dialect) -> Iterator[_Record]:
    """Read row by row from the header on; a row of several lines knows them all."""
    reader = csv.reader(
        lines[dialect.header :],
        delimiter=dialect.delimiter,
        skipinitialspace=dialect.skip_space,
        strict=True,
    )
    header: list[str] = []
    line = dialect.header + 1
    try:
        for cells in reader:
            last = dialect.header + reader.line_num
            header = header or [name.strip() for name in cells]
            yield _Record(line, last, cells)
            line = last + 1
    except csv.Error as error:
        row = "".join(lines[line - 1 : dialect.header + reader.line_num])
        reason = explain_broken_quote(file, row, dialect, line=line, header=header)
        raise DataError(reason) from error


@contextmanager
def _large_cells() -> Generator[None]:
    """Lift the limit on the size of a cell, which the module keeps for the whole process."""
    with _LIMIT:
        before = csv.field_size_limit(_LARGEST_CELL)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _check_header(file: Path, header: Sequence[str], line: int) -> None:
    counts = Counter(name for name in header if not _has_no_name(name))
    if not counts:
        fault = "names no column" if header else "is empty"
        raise DataError(f"{file} {fault}; its first line must name the columns.")
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        places = (str(number) for number, name in enumerate(header, start=1) if name == twice)
        numbers = " and ".join(places)
        raise DataError(
            f"{name_place(file, line)}: the header names the column {quote_cell(twice)} more than "
            f"once, as columns {numbers}. Give each its own name."
        )


def _wrong_count(
    file: Path, line: int, header: Sequence[str], cells: Sequence[str], dialect: Dialect
) -> str:
    names = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
    mark = names.get(dialect.delimiter, repr(dialect.delimiter))
    if len(cells) < len(header):
        at = f"column {header[len(cells)] or len(cells) + 1} is missing."
    else:
        at = (
            f"the first beyond them is {quote_cell(cells[len(header)])}. A cell that holds {mark} "
            "stands between quotation marks."
        )
    return (
        f"{name_place(file, line)}: {counted(len(cells), 'cell')}, but the header names "
        f"{len(header)} columns ({list_columns(header)}); {at}"
    )


def _begins_with_number(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Say whether a first row begins with a number that the header does not name, as R writes."""
    return len(cells) == len(header) + 1 and cells[0].strip() in ("0", "1") and cells[-1] != ""


def _check_counted(file: Path, cells: Sequence[str], lines: Sequence[int]) -> None:
    """Make sure that a column that the header lacks counts the rows, and so can be left out."""
    start = int(cells[0])
    for number, (cell, line) in enumerate(zip(cells, lines, strict=True), start=start):
        if cell.strip() != str(number):
            raise DataError(
                f"{name_place(file, line)}: the rows have one cell more than the header has names, "
                f"and the first cells do not count them: {quote_cell(cell)} stands where {number} "
                "was expected. Name all columns."
            )


def _has_no_name(name: str) -> bool:
    return not name or _INDEX.fullmatch(name) is not None


def _left_out(file: Path, at: int, name: str, cells: Sequence[str]) -> str:
    """Say that a column without a name was left out, and what it holds."""
    called = f"is called {name!r}, as pandas names an index," if name else "has no name"
    filled = [cell.strip() for cell in cells if cell.strip()]
    examples = [quote_cell(cell) for cell in filled[:_EXAMPLES]]
    held = shorten_list([*examples, *filled[_EXAMPLES:]], limit=_EXAMPLES)
    holds = f"; it holds {held}" if filled else "; it is empty"
    return f"{file.name}: column {at + 1} {called} and was left out{holds}."
