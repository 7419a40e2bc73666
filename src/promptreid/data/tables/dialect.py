"""What separates the columns of a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

DELIMITERS = (",", ";", "\t", "|")
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes:
        delimiter: Character between two cells.
        header: 0-based line of the header.
        skip_space: Spaces behind a delimiter do not belong to the cell.
    """

    delimiter: str
    header: int
    skip_space: bool

    def split(self, line: str) -> list[str]:
        """Take one line apart, whatever its quotation marks do."""
        cells = csv.reader([line], delimiter=self.delimiter, skipinitialspace=self.skip_space)
        return next(cells, [])


def find_dialect(lines: Sequence[str], *, keys: Sequence[str], exact: bool) -> Dialect:
    """Tell from the header what separates the columns.

    A first line `sep=;`, which Excel writes and reads, decides. Otherwise the delimiter under which
    the header names most of the wanted columns is taken, then the one that gives most columns, then
    the first of `DELIMITERS`.

    Args:
        lines: All lines.
        keys: Columns that are wanted.
        exact: Spaces count.
    """
    header = _first_filled(lines, 0)
    if header < len(lines) and (first := _SEPARATOR.fullmatch(lines[header])):
        return Dialect(first[1], _first_filled(lines, header + 1), not exact)
    if header == len(lines):
        return Dialect(",", header, not exact)

    def fit(dialect: Dialect) -> tuple[int, int]:
        names = [name.strip() for name in dialect.split(lines[header])]
        return len(set(keys) & set(names)), len(names)

    return max((Dialect(delimiter, header, not exact) for delimiter in DELIMITERS), key=fit)


def _first_filled(lines: Sequence[str], start: int) -> int:
    return next((at for at in range(start, len(lines)) if lines[at].strip()), len(lines))
