"""The listener that work reports to, and simple ones: nobody, and a file beside another."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from promptreid.text.safe import visible_lines

Seconds = Callable[[], float | None]
"""Gives a number of seconds, None while it is not known."""


class Progress(Protocol):
    """The listener that work reports to."""

    def message(self, text: str) -> None:
        """Say one thing."""

    def detail(self, text: str) -> None:
        """Say what only those want to read who follow each step, such as the loss of an epoch."""

    def doing(self, text: str) -> AbstractContextManager[None]:
        """Say that something is being done whose length is not known, while it lasts."""
        ...

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin a counted task."""

    def advance(self, count: int) -> None:
        """Count on; called once a step, so it must be cheap."""

    def finish(self) -> None:
        """End the counted task."""

    def later(self, seconds: Seconds | None) -> None:
        """Take note of how long what follows the current task will take; None for nothing."""


class Silent:
    """Report no progress; `progress=promptreid.Silent()` lets a function say nothing."""

    def message(self, text: str) -> None:
        """Say nothing."""

    def detail(self, text: str) -> None:
        """Say it as everything else."""
        self.message(text)

    def doing(self, text: str) -> AbstractContextManager[None]:
        """Say nothing."""
        return contextlib.nullcontext()

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin nothing."""

    def advance(self, count: int) -> None:
        """Count nothing."""

    def finish(self) -> None:
        """End nothing."""

    def later(self, seconds: Seconds | None) -> None:
        """Expect nothing."""


class Passed:
    """Pass everything on to another listener; the base of those that change some of it."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def message(self, text: str) -> None:
        """Say one thing."""
        self.progress.message(text)

    def detail(self, text: str) -> None:
        """Say what only those want to read who follow each step."""
        self.progress.detail(text)

    def doing(self, text: str) -> AbstractContextManager[None]:
        """Say that something is being done while it lasts."""
        return self.progress.doing(text)

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin a counted task."""
        self.progress.start(title, total, unit)

    def advance(self, count: int) -> None:
        """Count on."""
        self.progress.advance(count)

    def finish(self) -> None:
        """End the counted task."""
        self.progress.finish()

    def later(self, seconds: Seconds | None) -> None:
        """Take note of how long what follows will take."""
        self.progress.later(seconds)


class Calm(Passed):
    """Pass on what one must know, once, and how far the work is, without the details."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress)
        self._said: set[str] = set()

    def message(self, text: str) -> None:
        """Say one thing that was not said before."""
        if text not in self._said:
            self._said.add(text)
            self.progress.message(text)

    def detail(self, text: str) -> None:
        """Say nothing."""


class Logged(Passed):
    """Report to someone else, and keep what is said in a file, each line with its time."""

    def __init__(self, progress: Progress, path: Path) -> None:
        super().__init__(progress)
        self._path = path

    def message(self, text: str) -> None:
        """Say one thing and write it down."""
        self.progress.message(text)
        self._write(text)

    def detail(self, text: str) -> None:
        """Say what only those want to read who follow each step, and write it down."""
        self.progress.detail(text)
        self._write(text)

    def _write(self, text: str) -> None:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        lines = visible_lines(text).split("\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(f"{now}  {line}\n" for line in lines if line.strip())
