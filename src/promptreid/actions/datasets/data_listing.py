"""The kinds of data sets that can be read, as the command `data list` and Python list them."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload

from promptreid.data import reader_registry
from promptreid.data.load_data import data_options
from promptreid.data.reader_registry import ReaderEntry
from promptreid.data.readers.reader_options import OptionHelp
from promptreid.text.wrap import indented


@dataclass(frozen=True, repr=False)
class ReaderList(Sequence[ReaderEntry]):
    """All kinds of data sets that can be read. Printed, it is what `promptreid data list` prints.

    Attributes:
        entries: Name, description and source of each.
    """

    entries: tuple[ReaderEntry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> ReaderEntry: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ReaderEntry]: ...

    def __getitem__(self, index: int | slice) -> ReaderEntry | Sequence[ReaderEntry]:
        return self.entries[index]

    def __iter__(self) -> Iterator[ReaderEntry]:
        return iter(self.entries)

    @property
    def names(self) -> list[str]:
        """The names, which stand before the colon of a spec."""
        return [entry.name for entry in self.entries]

    def options(self, name: str) -> tuple[OptionHelp, ...]:
        """Return the options that stand behind the `?` of a spec of a name."""
        return data_options(name)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return all that is known of each, JSON-ready, as `promptreid data list --json` has it."""
        return [
            {**asdict(entry), "options": [asdict(one) for one in data_options(entry.name)]}
            for entry in self.entries
        ]

    def lines(self, entry: ReaderEntry) -> list[str]:
        """Say what a kind is and which options it takes, below its name."""
        told = [indented(text, "    ") for text in (entry.description, entry.source) if text]
        for option in data_options(entry.name):
            text = f"?{option.name}={option.allowed}  {option.description}"
            told.append(indented(text, "      ", first="    "))
        return told

    def __str__(self) -> str:
        return "\n".join(line for entry in self for line in (entry.name, *self.lines(entry)))

    def __repr__(self) -> str:
        return f"ReaderList({', '.join(self.names)})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'><code>{html.escape(entry.name)}</code></td>"
            f"<td style='text-align:left'>{html.escape(entry.description)}</td></tr>"
            for entry in self
        )
        return f"<table>{rows}</table>"


def list_data() -> ReaderList:
    """List the kinds of data sets that can be read, and the options of each.

    Returns:
        The list; `print` it, or take its `names`.

    Example:
        >>> "market1501" in promptreid.list_data().names
        True
    """
    return ReaderList(tuple(reader_registry.READERS.values()))
