"""Numbers in any usual spelling."""

from __future__ import annotations

import re
from typing import Any

_INTEGER = re.compile(r"[+-]?\d(?:_?\d)*", re.ASCII)
_DECIMAL = re.compile(
    r"[+-]?(?:\d(?:_?\d)*\.?(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d{1,3})?", re.ASCII
)
_MOST_DIGITS = 300
LARGEST = 2**53
"""Up to here a float holds every whole number, and no counter of ours goes further."""


def read_number(value: Any) -> int | float | None:
    """Read a number.

    Args:
        value: A number, or a text such as `5e-4`, `1e3`, `.5`, `+1`, `1_000` or `007`.

    Returns:
        The number; None for anything else, for infinity and for what is not a number.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value if abs(value) < float("inf") else None
    if not isinstance(value, str) or len(value) > _MOST_DIGITS:
        return None
    text = value.strip()
    if _INTEGER.fullmatch(text):
        return int(text.replace("_", ""))
    if _DECIMAL.fullmatch(text):
        number = float(text.replace("_", ""))
        return number if abs(number) < float("inf") else None
    return None
