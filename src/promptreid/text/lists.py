"""Lists and numbers of things in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from promptreid.text.safe import visible


def shorten_list(names: Sequence[str], *, limit: int = 3, separator: str = ", ") -> str:
    """Write the first names of a list and how many more there are: "a, b, c and 3 more".

    Args:
        names: Names of files or identities; what cannot be seen in them is written out.
        limit: How many are written.
        separator: What stands between them; "; " for names that hold commas.
    """
    mark = "" if separator == ", " else separator.rstrip()
    more = f"{mark} and {len(names) - limit:,} more" if len(names) > limit else ""
    return separator.join(visible(name) for name in names[:limit]) + more


def list_words(words: str | Iterable[str]) -> tuple[str, ...]:
    """Return words that are given alone or several at once; a text alone is one word."""
    return (words,) if isinstance(words, str) else tuple(words)


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join words as in a sentence, the last two by "and" or "or": "a, b and c"."""
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def counted(number: int, noun: str, nouns: str = "") -> str:
    """Write a number with what it counts: "1 folder", "2,000 folders".

    Several are called by the noun with an s, or by `nouns`.
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"
