"""What somebody wants of a quickstart, and what is said to them."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import Any

import click

from promptreid.text.safe import visible
from promptreid.text.wrap import WIDTH, indented


@dataclass(frozen=True)
class Wishes:
    """What somebody wants of a quickstart.

    Attributes:
        subject: What the pictures show; None for a guess.
        minutes: How long the training may take.
        device: Where to compute; None for the best there is.
        asks: Whether a long training is asked about.
    """

    subject: str | None = None
    minutes: float = 60.0
    device: str | None = None
    asks: bool = False

    @property
    def device_words(self) -> tuple[str, ...]:
        """The option `--device` of commands, where one was named."""
        return () if self.device is None else ("--device", self.device)

    @property
    def words(self) -> tuple[str, ...]:
        """The options of `quickstart` that ask for the same again."""
        subject = () if self.subject is None else ("--subject", self.subject)
        return (*subject, "--minutes", f"{self.minutes:g}", *self.device_words)

    def to_dict(self) -> dict[str, Any]:
        """Return what decides about the steps, JSON-ready."""
        return {"subject": self.subject, "minutes": self.minutes, "device": self.device}


def tell(text: str) -> None:
    """Print a paragraph below the title of a step."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    click.echo(indented(visible(text), "  ", width=min(WIDTH, columns)))
