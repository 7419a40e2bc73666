"""Lines that fit a terminal."""

from __future__ import annotations

import re

WIDTH = 80


def wrapped(text: str, *, width: int = WIDTH) -> str:
    """Break lines that are wider, at double spaces where there are some, else at spaces.

    Further parts of a line are indented by two more than the line. Words are never broken, and
    neither is what stands between backticks, so that a path or a command can be copied.

    Args:
        text: One or several lines.
        width: Columns that a line may have.
    """
    return "\n".join(part for line in text.split("\n") for part in _parts(line, width))


def _parts(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    start = line[: len(line) - len(line.lstrip())]
    for gap in ("  ", " "):
        pieces = _split(line.strip(), gap)
        found = _filled(pieces, gap, start, width)
        if all(len(part) <= width for part in found):
            return found
    return found


def _split(line: str, gap: str) -> list[str]:
    """Split at gaps outside of backticks."""
    pieces = [""]
    for number, part in enumerate(line.split("`")):
        if number:
            pieces[-1] += "`"
        first, *others = [part] if number % 2 else re.split(f"{gap} *", part)
        pieces[-1] += first
        pieces += others
    return [piece for piece in pieces if piece]


def _filled(pieces: list[str], gap: str, start: str, width: int) -> list[str]:
    """Put as many pieces on each line as fit."""
    found = [start + pieces[0]]
    for piece in pieces[1:]:
        fits = len(found[-1]) + len(gap) + len(piece) <= width
        hopeless = len(start) + 2 + len(piece) > width  # too long for any line, so it may stay here
        if fits or (hopeless and len(found[-1]) < width):
            found[-1] += gap + piece
        else:
            found.append(f"{start}  {piece}")
    return found
