"""Rows of a table that speak of one image: said again, or contradicting each other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from promptreid.data.tables.table_messages import quote_cell
from promptreid.data.tables.table_reader import Table
from promptreid.errors import DataError
from promptreid.text.lists import counted, listed, shorten_list

_EXAMPLES = 3
_TRAINING = ("train", "val")


def find_distinct_rows(
    table: Table,
    images: Sequence[Hashable],
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
        table: The table, of which messages name the file and its lines.
        images: What makes an image, one a row: rows with equal ones are of one image.
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
    contradicting = [
        (rows, words) for rows in repeated if (words := _contradictions(rows, labels, splits))
    ]
    if contradicting:
        raise DataError(f"{_explain_contradictions(table, contradicting, names)} {hint}".rstrip())
    first_rows: dict[int, int] = {}
    for rows in repeated:
        by_role: dict[str, int] = {}
        for row in rows:
            first = by_role.setdefault(splits[row] if splits else "", row)
            if first != row:
                first_rows[row] = first
    if not first_rows:
        return list(range(len(images))), ()
    distinct = [row for row in range(len(images)) if row not in first_rows]
    return distinct, tuple(_notes(table, sorted(first_rows.items()), names, others))


def _contradictions(
    rows: Sequence[int], labels: Mapping[str, Sequence[object]], splits: Sequence[str] | None
) -> str:
    """Say in which columns the rows of one image contradict each other; empty for none."""
    columns = []
    for column, values in labels.items():
        distinct = dict.fromkeys(values[row] for row in rows)
        if len(distinct) > 1:
            columns.append(f"{column} {' and '.join(map(_quote, distinct))}")
    roles = dict.fromkeys(splits[row] for row in rows) if splits else {}
    if len(roles) > 1 and any(role in _TRAINING for role in roles):
        columns.append(f"split {' and '.join(roles)}")
    return ", ".join(columns)


def _quote(value: object) -> str:
    return "unknown" if value in (None, "") else quote_cell(str(value))


def _explain_contradictions(
    table: Table, contradicting: Sequence[tuple[Sequence[int], str]], names: Sequence[str]
) -> str:
    examples = [
        f"{names[rows[0]]} in lines {_list_numbers([table.lines[row] for row in rows])} ({words})"
        for rows, words in contradicting
    ]
    count = sum(len(rows) for rows, _ in contradicting)
    images = counted(len(contradicting), "image")
    return (
        f"{table.file}: {count:,} rows contradict each other about {images}: "
        f"{shorten_list(examples, limit=_EXAMPLES, separator='; ')}. Keep the right row of each."
    )


def _notes(
    table: Table,
    again: Sequence[tuple[int, int]],
    names: Sequence[str],
    others: Mapping[str, Sequence[str]],
) -> list[str]:
    lines, file = table.lines, table.file.name
    examples = [f"line {lines[row]} as line {lines[first]} ({names[row]})" for row, first in again]
    plural = len(again) > 1
    notes = [
        f"{file}: {counted(len(again), 'row')} name{'s' * (not plural)} an image again, with "
        f"the same labels, and {'were' if plural else 'was'} left out: "
        f"{shorten_list(examples, limit=_EXAMPLES)}."
    ]
    differing = [
        f"{column} ({count:,})"
        for column, values in others.items()
        if (count := sum(values[row] != values[first] for row, first in again))
    ]
    if differing:
        notes.append(
            f"{file}: rows left out differ from the kept ones in {', '.join(differing)}; the first "
            "row of an image counts."
        )
    return notes


def _list_numbers(numbers: Sequence[int]) -> str:
    """Write line numbers as a list with an end."""
    texts = [str(number) for number in numbers]
    return shorten_list(texts, limit=_EXAMPLES) if len(texts) > _EXAMPLES else listed(texts)
