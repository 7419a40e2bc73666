"""Commands that are printed as they could be typed, run one after the other, and noted down."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from promptreid.cli.output import headline
from promptreid.errors import RunError
from promptreid.files import name_entries, write_json
from promptreid.text.safe import visible

RECORD = "quickstart.json"
"""File in the folder of a quickstart that says what was asked for and what is done."""


class CommandSteps:
    """The steps of one quickstart; those that an earlier call has done are passed over.

    Attributes:
        folder: Where everything goes.
        known: What was found and decided so far, JSON-ready.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any]) -> None:
        """Begin, or go on with what was begun in the folder.

        Args:
            folder: Where everything goes.
            asked: What decides about the steps, JSON-ready; the same for the same steps.

        Raises:
            RunError: The folder holds something else, or what was asked for otherwise.
        """
        self.folder, self._number = folder, 0
        self.known: dict[str, Any] = {}
        self._asked, self._done = dict(asked), []
        file = folder / RECORD
        if file.is_file():
            self._read(file)
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunError(
                f"{folder} is not empty (it holds {name_entries(folder)}) and was not made by a "
                "quickstart. Give another --out."
            )
        self._keep()

    def _read(self, file: Path) -> None:
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            before, self._done = dict(record["asked"]), list(record["done"])
            self.known = dict(record["known"])
        except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise RunError(f"{file} is damaged ({error}). Give another --out.") from error
        changed = [key for key, value in self._asked.items() if before.get(key) != value]
        if changed:
            told = "; ".join(f"{key} was {before.get(key)}" for key in changed)
            raise RunError(
                f"{self.folder} was begun otherwise ({told}). Ask for the same to go on with it, "
                "or give another --out to start anew."
            )

    def _keep(self) -> None:
        record = {"asked": self._asked, "known": self.known, "done": self._done}
        write_json(self.folder / RECORD, record)

    def learn(self, **facts: Any) -> None:
        """Note down what was found or decided, JSON-ready."""
        self.known.update(facts)
        self._keep()

    def title(self, text: str) -> None:
        """Print what comes next, with its number."""
        self._number += 1
        click.echo()
        headline(f"{self._number}. {text}")

    def show(self, *words: str) -> None:
        """Print a command without running it."""
        click.echo(f"  {visible(command_line(words))}")

    def run(self, *words: str, leaves: Path) -> None:
        """Print a command of promptreid and run it, unless that was done before.

        Args:
            words: The command without its name.
            leaves: What it leaves behind; where that is gone it runs again.
        """
        self.show(*words)
        line = command_line(words)
        if line in self._done and leaves.exists():
            click.echo("  (done before)")
            return
        run_command(words)
        self._done.append(line)
        self._keep()


def command_line(words: Sequence[str]) -> str:
    """Write a command as it is typed into a shell."""
    return shlex.join(["promptreid", *words])


def run_command(words: Sequence[str]) -> None:
    """Run a command in this process; mistakes are raised."""
    from promptreid.cli.main import cli

    cli.main(args=list(words), prog_name="promptreid", standalone_mode=False)
