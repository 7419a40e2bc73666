"""Data sets by name and place, to tell whether two readings are of the same one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptreid.data.labels import Place
from promptreid.data.spec import parse_spec
from promptreid.files import full_path


@dataclass(frozen=True)
class Source:
    """A data set by name.

    Attributes:
        name: Of its manifest, such as "market1501" or "hands11k-dorsal_right".
        root: Absolute folder or file; of a table with the option root, that too.
        options: As written behind the `?` of its spec; empty for none.
        all_images: Whether its test images train too.
    """

    name: str
    root: str
    options: str = ""
    all_images: bool = False

    @property
    def place(self) -> Place:
        """What two readings of one data set have in common."""
        return self.name, self.root


def sources_of(records: Sequence[Mapping[str, Any]]) -> tuple[Source, ...]:
    """Read the training data out of a run's `data.json`.

    Args:
        records: The records of that file.
    """
    return tuple(
        source_of(record["spec"], record["name"])
        for record in records
        if record.get("role", "train") == "train"
    )


def source_of(spec: str, name: str) -> Source:
    """Name a data set.

    Args:
        spec: As it was loaded by.
        name: Of its manifest.
    """
    parsed = parse_spec(spec)
    root = str(full_path(parsed.root))
    if "root" in parsed.options:  # a table of pictures that lie elsewhere is of those pictures
        root += f"?root={full_path(parsed.options['root'])}"
    _, _, options = spec.partition("?")
    return Source(name, root, options.strip(), parsed.options.get("use") == "all")
