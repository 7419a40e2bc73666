"""The account of a translation that is under way: every key of the other code is told once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptreid.errors import ConfigError
from promptreid.moving.translation import KeyNote, as_override
from promptreid.text.lists import listed


@dataclass
class KeyLedger:
    """What became of each key so far, and what a recipe must have.

    Attributes:
        told: Keys that the file has.
        all: The same, and the original's defaults.
        settings: What a recipe must have.
        exact: Notes on keys that say the same.
        changed: Notes on keys of which the nearest was taken.
        dropped: Notes on keys that nothing takes the place of.
        refused: Sentences on what has no equal.
    """

    told: Mapping[str, Any]
    all: Mapping[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    exact: list[KeyNote] = field(default_factory=list)
    changed: list[KeyNote] = field(default_factory=list)
    dropped: list[KeyNote] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def take(
        self,
        key: str,
        target: str,
        convert: Callable[[Any], Any] = lambda value: value,
        *,
        as_key: bool = True,
    ) -> Any:
        """Take a key over as a setting, or as an option of the command.

        Returns:
            What it became; None for a value that cannot be read, which is refused.
        """
        try:
            value = convert(self.all[key])
        except (TypeError, ValueError):
            self.refuse_value(key, f"nothing that {target} could be")
            return None
        if as_key:
            self.settings[target] = value
        if key in self.told:
            separator = "=" if as_key else " "
            became = f"{target}{separator}{as_override(value)}"
            self.exact.append(KeyNote(key, self.told[key], became))
        return value

    def drop(self, key: str, reason: str) -> None:
        """Leave a key out; it is told where the file has it."""
        if key in self.told:
            self.dropped.append(KeyNote(key, self.told[key], reason=reason))

    def expect(self, key: str, *allowed: Any, because: str) -> bool:
        """Refuse a key whose value is none of those that have an equal here."""
        value = self.all[key]
        if value in allowed:
            if key in self.told:
                self.exact.append(KeyNote(key, value, "always so"))
            return True
        words = listed([f"{one}" for one in allowed], "or")
        there = "" if key in self.told else ", which is the original's default,"
        self.refused.append(f"{key} is {value!r}{there} and must be {words}: {because}.")
        return False

    def read_number(self, key: str) -> float:
        """Return the number that a key has; another value is refused, and counts as zero."""
        try:
            return float(self.all[key])
        except (TypeError, ValueError):
            self.refuse_value(key, "no number")
            return 0.0

    def refuse_value(self, key: str, why: str) -> None:
        """Note that the value of a key cannot be read."""
        there = "" if key in self.told else ", the original's default,"
        self.refused.append(f"{key} is {self.all[key]!r}{there} which is {why}.")

    def refuse(self) -> None:
        """Raise what has no equal, all at once."""
        if self.refused:
            raise ConfigError(
                "This configuration has no equal here:\n"
                + "\n".join(f"- {sentence}" for sentence in dict.fromkeys(self.refused))
            )
