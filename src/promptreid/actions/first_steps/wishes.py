"""What somebody wants of a quickstart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from promptreid.errors import PromptReIDError

Say = Callable[[str, bool], None]
"""Takes a line or a paragraph, and whether it is the title of a step."""


class DeclinedError(PromptReIDError):
    """Somebody did not want to wait so long."""


@dataclass(frozen=True)
class Wishes:
    """What somebody wants of a quickstart.

    Attributes:
        subject: What the pictures show; None for a guess.
        minutes: How long the training may take.
        device: Where to compute; None for the best there is.
        ask: Asks whether to begin a long training, where somebody is there to be asked.
    """

    subject: str | None = None
    minutes: float = 60.0
    device: str | None = None
    ask: Callable[[], bool] | None = None

    @property
    def device_words(self) -> tuple[str, ...]:
        """The option `--device` of commands, where one was named."""
        return () if self.device is None else ("--device", self.device)

    def to_dict(self) -> dict[str, Any]:
        """Return what decides about the steps, JSON-ready."""
        return {"subject": self.subject, "minutes": self.minutes, "device": self.device}
