"""Steps that are told with the commands that do the same, taken one by one, and noted down."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptreid.actions.first_steps.wishes import Say
from promptreid.errors import RunError
from promptreid.files import name_entries, write_json
from promptreid.progress import Progress
from promptreid.text.safe import visible
from promptreid.text.wrap import WIDTH, indented

RECORD = "quickstart.json"
"""File in the folder of a quickstart that says what was asked for and what is done."""


class NotedSteps:
    """The steps of one quickstart; those that an earlier call has done are passed over.

    Attributes:
        folder: Where everything goes.
        known: What was found and decided so far, JSON-ready.
        progress: Where the work reports.
    """

    def __init__(
        self, folder: Path, asked: Mapping[str, Any], *, say: Say, progress: Progress
    ) -> None:
        """Begin, or go on with what was begun in the folder.

        Args:
            folder: Where everything goes.
            asked: What decides about the steps, JSON-ready; the same for the same steps.
            say: Hears what people are told.
            progress: Where the work reports.

        Raises:
            RunError: The folder holds something else, or what was asked for otherwise.
        """
        self.folder, self.progress = folder, progress
        self.known: dict[str, Any] = {}
        self._say, self._number, self._title = say, 0, ""
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
        """Say what comes next, with its number."""
        self._number, self._title = self._number + 1, text
        self._say("", False)
        self._say(f"{self._number}. {text}", True)

    def tell(self, text: str) -> None:
        """Say a paragraph below the title of a step."""
        columns = shutil.get_terminal_size((WIDTH, 24)).columns
        self._say(indented(visible(text), "  ", width=min(WIDTH, columns)), False)

    def show(self, *words: str) -> None:
        """Say a command without doing what it does."""
        self._say(f"  {visible(command_line(words))}", False)

    def take(self, *words: str, do: Callable[[], str | None], leaves: Path | None = None) -> None:
        """Say a command of promptreid and do what it does, unless that was done before.

        Args:
            words: The command without its name.
            do: Does it, and may return what there is to say of it.
            leaves: What it leaves behind; where that is gone it is done again.
        """
        self.show(*words)
        line = command_line(words)
        if line in self._done and (leaves is None or leaves.exists()):
            self._say("  (done before)", False)
            return
        with self.progress.doing(self._title):
            told = do()
        self._done.append(line)
        self._keep()
        if told is not None:
            self.tell(told)


def command_line(words: Sequence[str]) -> str:
    """Write a command as it is typed into a shell."""
    return shlex.join(["promptreid", *words])
