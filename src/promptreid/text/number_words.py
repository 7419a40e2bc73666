"""Numbers as a reader of a page or a figure wants them: percent, points, similarities, sizes.

Pages set them with the typographic minus and with spaces that no line breaks at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from promptreid.text.lists import counted

NONE = "–"
_SPACE = "\N{NO-BREAK SPACE}"
_THIN_SPACE = "\N{NARROW NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"
_DIGITS = 18  # of the largest whole number of 64 bits
_ROUNDING = 1e-6
"""Cosines in float32 that are nearer to 1 differ from it by rounding."""


def read_whole(digits: str) -> int | None:
    """Read a whole number that is written in digits.

    None for everything else, and for more digits than any count has: Python refuses to read
    thousands of them.
    """
    return int(digits) if digits.isdecimal() and len(digits) <= _DIGITS else None


def number(value: float | None, digits: int = 1, *, scale: float = 100.0) -> str:
    """Write a fraction of 1 in percent, without the sign; a dash where there is none.

    A number that is no fraction has the scale 1.
    """
    if value is None or math.isnan(value):
        return NONE
    return f"{scale * value:.{digits}f}".replace("-", _MINUS)


def percent(value: float | None, digits: int = 1) -> str:
    """Write a fraction of 1 in percent."""
    text = number(value, digits)
    return text if text == NONE else f"{text}{_SPACE}%"


def rate(value: float) -> str:
    """Write a false accept rate in percent with as many digits as it has."""
    return f"{100 * value:.6g}{_SPACE}%" if value >= 1e-6 else f"{100 * value:g}{_SPACE}%"


def points(value: float | None, digits: int = 1, *, scale: float = 100.0) -> str:
    """Write a difference of two fractions in percentage points, with its sign; see `number`."""
    if value is None or math.isnan(value):
        return NONE
    text = f"{scale * value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", _MINUS)


def span(
    low: float, high: float, *, signed: bool = False, digits: int = 1, scale: float = 100.0
) -> str:
    """Write the ends of an interval of fractions in percent; see `number`."""
    if math.isnan(low) or math.isnan(high):
        return NONE
    write = points if signed else number
    return f"{write(low, digits, scale=scale)} to {write(high, digits, scale=scale)}"


def interval(value: float, low: float, high: float, level: float = 0.95) -> str:
    """Write a fraction of 1 and its interval, as in a sentence."""
    ends = span(low, high)
    if ends == NONE:
        return percent(value)
    return f"{percent(value)} ({100 * level:g}{_SPACE}% interval {ends})"


def count(value: int) -> str:
    """Write a whole number with its thousands apart."""
    return f"{value:,}".replace(",", _THIN_SPACE)


def plural(value: int, one: str, several: str = "") -> str:
    """Write a number of things."""
    return counted(value, one, several).replace(",", _THIN_SPACE)


def similarity(value: float | None) -> str:
    """Write a cosine or a threshold with as many digits as tell it from 1; nothing for None."""
    if value is None:
        return ""
    gap = 1 - abs(value)
    digits = 2 if gap > 0.1 else 3 if gap > 0.01 else alike_digits([value])
    return f"{value:.{digits}f}"


def alike_digits(cosines: Iterable[float]) -> int:
    """Return how many digits tell cosines that stand together from 1, and so from each other.

    Four at least. Models that are hardly trained score 0.9998 for strangers, where more are needed;
    beyond seven digits rounding decides. A picture beside itself, of cosine 1, asks for none.
    """
    gaps = [gap for gap in (1 - abs(one) for one in cosines) if gap > _ROUNDING]
    return max(4, 1 - math.floor(math.log10(min(gaps, default=1))))


def write_threshold(value: float) -> str:
    """Write a threshold with four digits, or as many as tell it from 1."""
    return f"{value:.{alike_digits([value])}f}"


def cosine(value: float) -> str:
    """Write a similarity with the minus sign of a page."""
    return similarity(value).replace("-", _MINUS)


def size(value: int) -> str:
    """Write a number of parameters in millions where there are that many."""
    return f"{value / 1e6:.1f} million" if value >= 1e6 else count(value)
