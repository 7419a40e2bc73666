"""Lists of names in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from promptreid.text.safe import visible


def few(names: Sequence[str], *, limit: int = 3) -> str:
    """Write the first names of a list and how many more there are.

    Args:
        names: Of files or identities; what cannot be seen in them is written out.
        limit: How many are written.
    """
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(visible(name) for name in names[:limit]) + more


def counted(number: int, noun: str, nouns: str = "") -> str:
    """Write a number with what it counts: "1 folder", "2,000 folders".

    Args:
        number: How many.
        noun: What one is called.
        nouns: What several are called; with an s by default.
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"
