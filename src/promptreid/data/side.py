"""Camera and view numbers as rows of a trained table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1


def table_rows(numbers: Iterable[int | None], table: Sequence[int]) -> NDArray[np.int64]:
    """Map camera or view numbers to rows of a side-information table.

    Args:
        numbers: The number of each image, None where unknown.
        table: The number that each row of the table was trained for.

    Returns:
        Rows, `UNKNOWN` for None and for numbers that are not in the table, (N,).
    """
    rows = {number: row for row, number in enumerate(table)}
    found = [UNKNOWN if number is None else rows.get(number, UNKNOWN) for number in numbers]
    return np.array(found, dtype=np.int64)
