"""The names that someone may have meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from promptreid.text.lists import listed

_APART = re.compile(r"[^a-z0-9]+")
SHOWN = 3


def plain(name: str) -> str:
    """Reduce a name to its letters and digits: `ViT-B/16`, `vitb16` and `ViT_B_16` are one."""
    return _APART.sub("", name.lower())


def closest(got: str, names: Iterable[str], *, cutoff: float = 0.5, most: int = SHOWN) -> list[str]:
    """Return the names most like a given one, the best first.

    Names with the same letters come first, then those that hold the whole of what was given, then
    similar ones.

    Args:
        got: What was given.
        names: All there are.
        cutoff: How similar the others must be, from 0 to 1.
        most: How many are returned at most.
    """
    wanted = plain(got)
    scored: list[tuple[float, str]] = []
    for name in names:
        letters = plain(name)
        if letters == wanted:
            scored.append((2.0, name))
            continue
        likeness = difflib.SequenceMatcher(None, wanted, letters).ratio()
        if len(wanted) > 2 and wanted in letters:
            likeness += 1
        if likeness >= cutoff:
            scored.append((likeness, name))
    scored.sort(key=lambda pair: (-pair[0], len(pair[1]), pair[1]))
    return [name for _, name in scored[:most]]


def did_you_mean(names: Sequence[str]) -> str:
    """Write a question with the names, after a space; empty without names."""
    return f" Did you mean {either(names)}?" if names else ""


def either(names: Sequence[str]) -> str:
    """Write names in quotes, with commas and an "or"."""
    return listed([repr(name) for name in names], "or")
