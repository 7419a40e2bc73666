"""Cameras, views and attribute values as rows of a trained table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
Side = int | str
"""A camera number, a view number, or a value of an attribute."""


def table_values(values: Iterable[Side | None]) -> tuple[Side, ...]:
    """Return what the rows of a side-information table stand for.

    Args:
        values: The number or value of each training image; None and "" where unknown.

    Returns:
        The distinct known ones in ascending order.
    """
    known = {value for value in values if value is not None and value != ""}
    return tuple(sorted(known, key=lambda value: (isinstance(value, str), value)))


def table_rows(values: Iterable[Side | None], table: Sequence[Side]) -> NDArray[np.int64]:
    """Map camera numbers, view numbers or attribute values to rows of a side-information table.

    Args:
        values: Of each image; None and "" where unknown.
        table: What each row of the table was trained for.

    Returns:
        Rows, `UNKNOWN` for what is unknown and for what is not in the table, (N,).
    """
    rows = {value: row for row, value in enumerate(table)}
    found = [UNKNOWN if value in (None, "") else rows.get(value, UNKNOWN) for value in values]
    return np.array(found, dtype=np.int64)
