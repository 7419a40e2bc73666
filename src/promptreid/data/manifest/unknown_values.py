"""Which words mean "not known": the one place that decides it, for tables, folders and Python.

A missing value has many spellings: an empty cell, what software writes for it (`nan`, `NULL`,
`None`, `<NA>`, `n/a`, `-1`), and what people write (`unknown`, `?`, `-`). Letter case, space around
a word and invisible characters do not count. What a word means depends on its column:

* identity, camera, view: every word below, and the number -1.
* domain: every word below. Such an image belongs to the data set's own domain.
* an attribute: only what nobody would write for a value; "none", "unknown", "-" and -1 may be one.

Images of unknown identity are left out, and unknown cameras, views and attributes are empty.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

from promptreid.data.tables.table_messages import quote_cell
from promptreid.errors import DataError
from promptreid.text.lists import shorten_list

WRITTEN_BY_SOFTWARE = frozenset(
    ("", "nan", "-nan", "null", "nat", "n/a", "#n/a", "<na>", "undefined")
)
"""Words, in lower case, that stand for a missing value in every column."""

WRITTEN_BY_PEOPLE = frozenset(("na", "n.a.", "none", "unknown"))
"""Words, in lower case, that stand for a missing value where a name is expected."""

NAMES = ("identity", "camera", "view")
"""Columns that hold names, in which -1 is none."""

_MARKS = re.compile(r"[-\u2010-\u2015\u2212]+|[?\uff1f]+|_+|\.+")
_MINUS_ONE = re.compile(r"[-\u2212]0*1(?:\.0*)?")

_MOST_WORDS = 6  # in a message

AUTO, KEEP = "auto", "keep"


@dataclass(frozen=True)
class UnknownWords:
    """Tells words that mean "not known" from names.

    Attributes:
        keep: Take all words as names; an empty cell is unknown all the same.
        further: Words of the user's own, in lower case, that mean "not known" in `NAMES` too.
    """

    keep: bool = False
    further: frozenset[str] = frozenset()

    @classmethod
    def of(cls, option: str) -> UnknownWords:
        """Read the option `unknown` of readers: "auto", "keep", or further words with commas."""
        if _plain(option) in (AUTO, KEEP):
            return cls(keep=_plain(option) == KEEP)
        return cls(further=frozenset(_plain(word) for word in option.split(",") if word.strip()))

    def means_unknown(self, value: str, column: str) -> bool:
        """Say whether a value means "not known".

        Args:
            value: The value as it was written.
            column: "identity", "camera", "view", "domain", or the name of an attribute.
        """
        word = _plain(value)
        if self.keep:
            return not word
        if word in WRITTEN_BY_SOFTWARE:
            return True
        if column not in (*NAMES, "domain"):
            return False
        if word in WRITTEN_BY_PEOPLE or _MARKS.fullmatch(word):
            return True
        return column in NAMES and (_MINUS_ONE.fullmatch(word) is not None or word in self.further)


def clear_unknown(
    cells: Sequence[str], column: str, words: UnknownWords
) -> tuple[list[str | None], tuple[str, ...]]:
    """Put None in the place of words that mean "not known".

    Args:
        cells: One for each image.
        column: Name of the column, as for `UnknownWords.means_unknown`.
        words: What tells them.

    Returns:
        The values, and a note that counts the words met; none where cells are merely empty.
    """
    unknown = {cell for cell in set(cells) if words.means_unknown(cell, column)}
    values = [None if cell in unknown else cell for cell in cells]
    met = Counter(cell.strip() for cell in cells if cell in unknown)
    if not any(met):
        return values, ()
    noun = column if column in (*NAMES, "domain") else f"attribute {column}"
    share = f"{met.total():,} of {len(cells):,}"
    note = f"The {noun} of {share} images is not known: {count_words(met)}.{_way_out(met)}"
    return values, (note,)


def find_known_identities(
    identities: Sequence[str], splits: Sequence[str], words: UnknownWords, *, source: str
) -> tuple[list[int], tuple[str, ...]]:
    """Leave out the images of which nobody knows whom they show, before anything is drawn of them.

    Images of split `distractor` stay: they are of other subjects, whoever these are.

    Args:
        identities: One for each image.
        splits: One for each image.
        words: What tells an unknown identity.
        source: Where the rows come from, for the message.

    Returns:
        The rows that stay, in order, and a note that counts the others.

    Raises:
        DataError: When no row stays.
    """
    unknown = {name for name in set(identities) if words.means_unknown(name, "identity")}
    left_out = [
        name in unknown and split != "distractor"
        for name, split in zip(identities, splits, strict=True)
    ]
    known = [row for row, out in enumerate(left_out) if not out]
    met = Counter(identities[row].strip() for row, out in enumerate(left_out) if out)
    if not met:
        return known, ()
    words_met = f"{count_words(met)}.{_way_out(met)}"
    if not known:
        raise DataError(f"No image of {source} has a known identity: {words_met}")
    share = f"{met.total():,} of {len(identities):,}"
    return known, (f"{share} images are left out, since their identity is not known: {words_met}",)


def note_unmet_words(words: UnknownWords, names: Iterable[str]) -> tuple[str, ...]:
    """Say which of the user's own words no identity, camera or view is named.

    They may be misspelled.
    """
    unmet = sorted(words.further - {_plain(name) for name in set(names)})
    if not unmet:
        return ()
    return (
        f"No identity, camera or view is named {' or '.join(map(quote_cell, unmet))}, which the "
        "option unknown gives as a word for those that are not known.",
    )


def read_name(value: object, column: str, words: UnknownWords) -> str | None:
    """Write a value from Python as a name.

    Args:
        value: A string, a number or nothing. Numbers are named by their value: 3 and 3.0 are "3".
        column: Name of the column, as for `UnknownWords.means_unknown`.
        words: What tells values that mean "not known", beside None and NaN.

    Returns:
        The name without space around it, None for "not known".

    Raises:
        ValueError: The value is neither a name nor a number.
    """
    if isinstance(value, bool):
        raise ValueError(f"{value} is neither a name nor a number.")
    if isinstance(value, Real) and not isinstance(value, Integral):
        number = float(value)
        value = int(number) if number.is_integer() else number
    name = "" if value is None else str(value).strip()
    # Software has objects of its own for a missing value, which no option makes a name.
    missing = not isinstance(value, str) and _plain(name) in WRITTEN_BY_SOFTWARE
    if missing or words.means_unknown(name, column):
        return None
    if not isinstance(value, str | Real):
        raise ValueError(f"{value!r} is neither a name nor a number.")
    return name


def count_words(met: Counter[str]) -> str:
    """Write words as they were met and how often, the most frequent first."""
    times = sorted(met.items(), key=lambda item: (-item[1], item[0]))
    counts = [f"{quote_cell(word) if word else 'empty'} ({count:,})" for word, count in times]
    return shorten_list(counts, limit=_MOST_WORDS)


def _plain(value: str) -> str:
    """Write a word without letter case, outer space and characters that cannot be seen."""
    if not value.isascii():
        value = unicodedata.normalize("NFKC", value)
        value = "".join(mark for mark in value if unicodedata.category(mark) != "Cf")
    return value.strip().casefold()


def _way_out(met: Counter[str]) -> str:
    if not any(met):
        return ""
    return " The option unknown=keep takes such words as names."
