"""HandInfo.csv of 11k Hands: one checked record per image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from promptreid.data.tables.repeated_rows import find_distinct_rows
from promptreid.data.tables.table_messages import list_columns, quote_cell
from promptreid.data.tables.table_reader import Table, read_table
from promptreid.errors import DataError, unknown_name

ASPECTS = ("dorsal_right", "dorsal_left", "palmar_right", "palmar_left")
NEEDED = ("imageName", "id", "accessories", "aspectOfHand")
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Hand:
    """One line of HandInfo.csv.

    Attributes:
        person: The subject's number; the file writes it in seven digits.
        aspect: One of `ASPECTS`.
        image: File name.
        attributes: All columns as written, without surrounding space; and `aspect` and, where the
            file has skinColor, `skin`, the words that sentences use.
    """

    person: int
    aspect: str
    image: str
    attributes: Mapping[str, str]


def read_hand_info(file: Path) -> tuple[list[Hand], tuple[str, ...]]:
    """Read HandInfo.csv.

    One published line has an id with a space behind it; all cells are stripped.

    Returns:
        The records, sorted by image name, and notes on what was left out.

    Raises:
        DataError: When a column is missing, a cell cannot be read, or rows contradict each other
            about an image; file, line and column are named.
    """
    table = read_table(file, keys=NEEDED).stripped()
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise DataError(
            f"{file} lacks the columns {', '.join(missing)}; it has "
            f"{list_columns(list(table.columns))}."
        )
    hands = [_hand(table, row) for row in range(len(table.lines))]
    distinct, notes = find_distinct_rows(
        table,
        [hand.image for hand in hands],
        names=table.columns["imageName"],
        labels={
            "id": [hand.person for hand in hands],
            "aspectOfHand": [hand.aspect for hand in hands],
            "accessories": table.columns["accessories"],
        },
        others={name: cells for name, cells in table.columns.items() if name not in NEEDED},
    )
    by_image = sorted((hands[row] for row in distinct), key=lambda hand: hand.image)
    return by_image, (*table.notes, *notes)


def _hand(table: Table, row: int) -> Hand:
    cells = {name: column[row] for name, column in table.columns.items()}
    aspect = cells["aspectOfHand"].lower().replace(" ", "_")
    if not cells["imageName"]:
        raise DataError(f"{table.at(row, 'imageName')}: the cell is empty.")
    if not (cells["id"].isdecimal() and len(cells["id"]) <= _MOST_DIGITS):
        raise DataError(
            f"{table.at(row, 'id')}: {quote_cell(cells['id'])} is not a whole number of at most "
            f"{_MOST_DIGITS} digits."
        )
    if aspect not in ASPECTS:
        at = table.at(row, "aspectOfHand")
        raise DataError(f"{at}: {unknown_name('hand aspect', aspect, ASPECTS)}")
    words = {"aspect": aspect} | ({"skin": cells["skinColor"]} if "skinColor" in cells else {})
    return Hand(int(cells["id"]), aspect, cells["imageName"], cells | words)
