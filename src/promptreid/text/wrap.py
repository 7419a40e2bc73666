"""Lines that fit a terminal."""

from __future__ import annotations

import re
import textwrap

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


def indented(text: str, indent: str, *, first: str | None = None, width: int = WIDTH) -> str:
    """Break a paragraph into lines of a terminal, each behind an indent, the first behind `first`.

    Words are never broken; None for `first` is the same indent.
    """
    return textwrap.fill(
        text,
        width - 1,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _parts(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    start = line[: len(line) - len(line.lstrip())]
    for gap in ("  ", " "):
        pieces = _split(line.strip(), gap)
        lines = _filled(pieces, gap, start, width)
        if all(len(part) <= width for part in lines):
            return lines
    return lines


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
    lines = [start + pieces[0]]
    for piece in pieces[1:]:
        fits = len(lines[-1]) + len(gap) + len(piece) <= width
        hopeless = len(start) + 2 + len(piece) > width  # too long for any line, so it may stay here
        if fits or (hopeless and len(lines[-1]) < width):
            lines[-1] += gap + piece
        else:
            lines.append(f"{start}  {piece}")
    return lines
