"""HandInfo.csv of 11k Hands: one checked record per image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from promptreid.data.manifest_io import read_table
from promptreid.errors import DataError, unknown_name

ASPECTS = ("dorsal_right", "dorsal_left", "palmar_right", "palmar_left")
NEEDED = ("id", "accessories", "aspectOfHand", "imageName")


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


def read_hand_info(file: Path) -> list[Hand]:
    """Read HandInfo.csv.

    One published line has an id with a space behind it; all cells are stripped.

    Args:
        file: The file.

    Returns:
        The records, sorted by image name.

    Raises:
        DataError: When a column is missing or a cell cannot be read; the line is named.
    """
    table = read_table(file)
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise DataError(
            f"{file} lacks the columns {', '.join(missing)}; it has {', '.join(table.columns)}."
        )
    hands = []
    for row, line in enumerate(table.lines):
        cells = {name: column[row].strip() for name, column in table.columns.items()}
        aspect = cells["aspectOfHand"].lower().replace(" ", "_")
        if not cells["id"].isdecimal():
            raise DataError(f"{file}, line {line}: id {cells['id']!r} is not a whole number.")
        if aspect not in ASPECTS:
            raise DataError(f"{file}, line {line}: {unknown_name('hand aspect', aspect, ASPECTS)}")
        words = {"aspect": aspect} | ({"skin": cells["skinColor"]} if "skinColor" in cells else {})
        hands.append(Hand(int(cells["id"]), aspect, cells["imageName"], cells | words))
    return sorted(hands, key=lambda hand: hand.image)
