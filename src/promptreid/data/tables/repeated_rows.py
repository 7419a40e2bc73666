"""Rows of a table that speak of one image: said again, or contradicting each other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

from promptreid.data.tables.table_messages import quote_cell
from promptreid.errors import DataError
from promptreid.text.lists import counted, listed, shorten_list

_EXAMPLES = 3
_TRAINING = ("train", "val")


def find_distinct_rows(
    file: Path,
    images: Sequence[Hashable],
    lines: Sequence[int],
    *,
    names: Sequence[str],
    labels: Mapping[str, Sequence[object]],
    others: Mapping[str, Sequence[str]],
    splits: Sequence[str] | None = None,
    hint: str = "",
) -> tuple[list[int], tuple[str, ...]]:
    """Leave out rows that say again what an earlier row says of the same image.

    An image may stand in two rows when it has two roles in testing, query and gallery.

    Args:
        file: The table, for messages.
        images: What makes an image, one a row: rows with equal ones are of one image.
        lines: Line of each row.
        names: Name of each row's image, for messages.
        labels: Columns in which the rows of one image must agree.
        others: Columns in which they may differ; the first row counts.
        splits: Role of each row; None where roles are drawn later.
        hint: What may help when rows contradict each other.

    Returns:
        The rows that stay, in order, and notes on the others.

    Raises:
        DataError: When rows of one image contradict each other; all of them are counted, and the
            lines are named.
    """
    groups: dict[Hashable, list[int]] = {}
    for row, image in enumerate(images):
        groups.setdefault(image, []).append(row)
    repeated = [rows for rows in groups.values() if len(rows) > 1]
    against = [(rows, told) for rows in repeated if (told := _contradictions(rows, labels, splits))]
    if against:
        raise DataError(" ".join(filter(None, (_against(file, against, lines, names), hint))))
    again: list[tuple[int, int]] = []
    for rows in repeated:
        first: dict[str, int] = {}
        for row in rows:
            earlier = first.setdefault(splits[row] if splits else "", row)
            if earlier != row:
                again.append((row, earlier))
    if not again:
        return list(range(len(images))), ()
    out = {row for row, _ in again}
    kept = [row for row in range(len(images)) if row not in out]
    return kept, tuple(_notes(file, sorted(again), lines, names, others))


def _contradictions(
    rows: Sequence[int],
    labels: Mapping[str, Sequence[object]],
    splits: Sequence[str] | None,
) -> str:
    """Say in which columns the rows of one image contradict each other; empty for none."""
    told = []
    for column, values in labels.items():
        distinct = dict.fromkeys(values[row] for row in rows)
        if len(distinct) > 1:
            told.append(f"{column} {' and '.join(_value(value) for value in distinct)}")
    roles = dict.fromkeys(splits[row] for row in rows) if splits else {}
    if len(roles) > 1 and any(role in _TRAINING for role in roles):
        told.append(f"split {' and '.join(roles)}")
    return ", ".join(told)


def _value(value: object) -> str:
    return "unknown" if value in (None, "") else quote_cell(str(value))


def _against(
    file: Path,
    against: Sequence[tuple[Sequence[int], str]],
    lines: Sequence[int],
    names: Sequence[str],
) -> str:
    examples = [
        f"{names[rows[0]]} in lines {_numbers([lines[row] for row in rows])} ({told})"
        for rows, told in against
    ]
    count = sum(len(rows) for rows, _ in against)
    return (
        f"{file}: {count:,} rows contradict each other about {counted(len(against), 'image')}: "
        f"{shorten_list(examples, limit=_EXAMPLES, separator='; ')}. Keep the right row of each."
    )


def _notes(
    file: Path,
    again: Sequence[tuple[int, int]],
    lines: Sequence[int],
    names: Sequence[str],
    others: Mapping[str, Sequence[str]],
) -> list[str]:
    examples = [
        f"line {lines[row]} as line {lines[earlier]} ({names[row]})" for row, earlier in again
    ]
    plural = len(again) > 1
    notes = [
        f"{file.name}: {counted(len(again), 'row')} name{'s' * (not plural)} an image again, with "
        f"the same labels, and {'were' if plural else 'was'} left out: "
        f"{shorten_list(examples, limit=_EXAMPLES)}."
    ]
    differing = {
        column: count
        for column, values in others.items()
        if (count := sum(values[row] != values[earlier] for row, earlier in again))
    }
    if differing:
        told = ", ".join(f"{column} ({count:,})" for column, count in differing.items())
        notes.append(
            f"{file.name}: rows left out differ from the kept ones in {told}; the first row of an "
            "image counts."
        )
    return notes


def _numbers(numbers: Sequence[int]) -> str:
    """Write line numbers as a list with an end."""
    texts = [str(number) for number in numbers]
    return shorten_list(texts, limit=_EXAMPLES) if len(texts) > _EXAMPLES else listed(texts)
