"""Configurations of other code, as the command `import-config` and Python take them over."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from promptreid.config.recipe_file import write_recipe_file
from promptreid.moving import import_config as reading
from promptreid.moving.translation import Translation
from promptreid.text.safe import visible
from promptreid.text.wrap import indented

_TITLES = {
    "exact": "says the same here",
    "changed": "the nearest was taken",
    "dropped": "needs nothing in its place",
}


@dataclass(frozen=True, repr=False)
class ImportedConfig(Translation):
    """A configuration of other code in this package's words.

    Printed, it is what `promptreid import-config` prints.

    Attributes:
        file: The recipe file that was written; None for none.
    """

    file: Path | None = None

    def __str__(self) -> str:
        lines = [line for kind in _TITLES for line in self._tell(kind)]
        lines.append("")
        if not self.changed:
            lines.append(f"Equal to {self.origin} in all settings; random draws differ.")
        else:
            lines.append(f"The nearest to {self.origin}, not equal: see what was changed.")
        if self.data is None:
            lines.append("It names no data set: put one in the place of SPEC.")
        if self.file is not None:
            lines.append(f"wrote {self.file}")
        lines.append(self.command(None if self.file is None else str(self.file)))
        return "\n".join(lines)

    __repr__ = __str__

    def _tell(self, kind: str) -> list[str]:
        """Say what became of the keys of a kind, a line each below a title."""
        notes = getattr(self, kind)
        lines = [f"{kind}: {_TITLES[kind]}"] if notes else []
        for note in notes:
            told = f"{note.key}: {note.value}"
            became = " -> ".join(filter(None, (told, note.became)))
            reason = f" ({note.reason})" if note.reason else ""
            lines.append(indented(visible(became + reason), "    ", first="  "))
        return lines


def import_config(
    file: str | os.PathLike[str],
    changes: Mapping[str, Any] | Sequence[str] = (),
    *,
    out: str | os.PathLike[str] | None = None,
) -> ImportedConfig:
    """Say a YAML file of CLIP-ReID or CLIP-FH as a recipe and a command.

    Args:
        file: The file.
        changes: Values by key that win over the file, or KEY, VALUE, KEY, VALUE.
        out: Recipe file to write, too; its name ends in `.yaml`.

    Returns:
        The nearest recipe with what differs, and what became of every key; `print` it.

    Raises:
        ConfigError: The file cannot be read, is of no code that is known, or has keys that have no
            equal here; or `out` is there or has another ending.
    """
    if isinstance(changes, Mapping):
        changes = [str(word) for pair in changes.items() for word in pair]
    found = reading.import_config(Path(file), changes)
    target = None if out is None else Path(out)
    if target is not None:
        write_recipe_file(target, found.recipe_text())
    known = {one.name: getattr(found, one.name) for one in fields(Translation)}
    return ImportedConfig(**known, file=target)
