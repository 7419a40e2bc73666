"""Names that are one name but for their spelling: 1 and 1.0, 7 and 007, Zoé in two Unicode forms.

Different spellings stay different names, since nobody but the user knows whether they mean one. But
a person under two names trains against their own pictures and counts as a wrong answer, so such
names are said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.name_order import sort_names

_LONGEST = 60
_ROUNDS = 4
_PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]*")
_DECIMAL_ZERO = re.compile(r"([+-]?[0-9]+)\.0*")
_LEADING_ZEROS = re.compile(r"(?<![0-9])(?<![0-9]\.)0+(?=[0-9])")
_SPACE = re.compile(r"(?<![0-9])\s+|\s+(?![0-9])")
# Marks that join letters or choose their shape, beside those of Unicode's category of formats.
_JOINERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0x180B, 0x1810))
}


def _without_invisible(name: str) -> str:
    return "".join(
        mark for mark in name if unicodedata.category(mark) != "Cf" and mark not in _JOINERS
    )


def _without_space(name: str) -> str:
    """Take out all space but that between digits, which is as good as a letter there."""
    return _SPACE.sub("", re.sub(r"\s+", " ", name.strip()))


def _without_decimal_zero(name: str) -> str:
    match = _DECIMAL_ZERO.fullmatch(name)
    return match[1] if match else name


SPELLING: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "invisible characters": _without_invisible,
        "Unicode forms": lambda name: unicodedata.normalize("NFKC", name),
        "letter case": str.casefold,
        "spaces": _without_space,
        "'.0' behind numbers": _without_decimal_zero,
        "zeros before numbers": lambda name: _LEADING_ZEROS.sub("", name),
    }
)
"""What may differ between two spellings of a name, and how a name looks without it."""


def simplify_name(name: str, *, but: str | None = None) -> str:
    """Write a name without anything that may differ between two spellings of it.

    Args:
        name: The name.
        but: A key of `SPELLING` that is left as it is.
    """
    if _PLAIN_NUMBER.fullmatch(name):
        return name
    for _ in range(_ROUNDS):  # a new form may bring further letters of another case, or space
        before = name
        for kind, take_out in SPELLING.items():
            if kind != but:
                name = take_out(name)
        if name == before:
            break
    return name


def note_one_spelling(names: Iterable[tuple[str, str]], many: str) -> str | None:
    """Say how many names are one name but for their spelling, with an example.

    Args:
        names: Domain and name; names of different domains are different whatever they look like.
        many: What they name, "identities".

    Returns:
        A sentence, None where every name has one spelling.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for domain, name in set(names):
        groups.setdefault((domain, simplify_name(name)), []).append(name)
    double = [sort_names(group) for group in groups.values() if len(group) > 1]
    if not double:
        return None
    count = sum(map(len, double))
    example = min(double)
    met = {kind for group in double for kind in _differences(group)}
    kinds = [kind for kind in SPELLING if kind in met]
    return (
        f"{count:,} {many} become {len(double):,} when one ignores {' and '.join(kinds)}: "
        f"{_written_out(example[0])} and {_written_out(example[1])}. They are taken for different "
        "ones; write each in one way if they are not."
    )


def note_spellings(manifest: Manifest) -> tuple[str, ...]:
    """Say which identities, domains, cameras and views of a data set have several spellings.

    Images that are each named by their file have no spellings.
    """
    named = manifest.identities != manifest.paths
    names = {"identities": manifest.identity_keys() if named else []}
    for many in ("domains", "cameras", "views"):
        names[many] = [("", name) for name in set(getattr(manifest, many)) if name is not None]
    notes = (note_one_spelling(keys, many) for many, keys in names.items())
    return tuple(note for note in notes if note is not None)


def _differences(group: list[str]) -> list[str]:
    """Say in what spellings of one name differ: what has to be ignored, else what suffices."""
    needed = [
        kind for kind in SPELLING if len({simplify_name(name, but=kind) for name in group}) > 1
    ]
    return needed or [
        kind for kind, take_out in SPELLING.items() if len(set(map(take_out, group))) < len(group)
    ]


def _written_out(name: str) -> str:
    """Quote a name; what cannot be seen, or may look like something else, is written out."""
    text = ascii(name)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(name):,} characters)"
