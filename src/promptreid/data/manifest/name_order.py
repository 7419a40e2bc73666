"""The order of names, and the numbers that follow from it.

Identities, cameras and views are names: only whether two are equal counts. Where rows of a table or
counts need numbers, names are numbered in this order and nowhere by what is written in them, so
that no number is larger than there are names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
"""Number of what is not known, and of what is not among the names."""

_WHOLE_NUMBER = re.compile(r"(-?)0*([0-9]+)")
_DOWN = str.maketrans("0123456789", "9876543210")


def sort_names(names: Iterable[str]) -> list[str]:
    """Order distinct names as people count: "9" before "10", and numbers before words.

    Whole numbers come first, by their value, then all others in text order.
    """
    return sorted(set(names), key=name_key)


def number_names(
    values: Iterable[str | None], names: Sequence[str] | None = None
) -> NDArray[np.int64]:
    """Number names by their place in a list.

    Args:
        values: One of each image, None where unknown.
        names: The list, without repeats; None for the values themselves, sorted.

    Returns:
        Numbers from 0, `UNKNOWN` for None and for names that are not in the list, (N,).
    """
    values = list(values)
    if names is None:
        names = sort_names(value for value in values if value is not None)
    numbers: dict[str | None, int] = {name: number for number, name in enumerate(names)}
    return np.fromiter((numbers.get(value, UNKNOWN) for value in values), np.int64, len(values))


def name_key(name: str) -> tuple[int, int, str, str]:
    """Give what `sort_names` compares; digits stand for the number, which may be of any length."""
    match = _WHOLE_NUMBER.fullmatch(name)
    if match is None:
        return 2, 0, "", name
    digits = match[2]
    if match[1] and digits != "0":
        return 0, -len(digits), digits.translate(_DOWN), name
    return 1, len(digits), digits, name
