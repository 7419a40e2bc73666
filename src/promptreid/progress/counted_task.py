"""Counted tasks that end however they end, so that no bar is left on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Self

from promptreid.progress.reporting import Progress


@contextlib.contextmanager
def counting(progress: Progress, title: str, total: int, unit: str) -> Generator[None]:
    """Begin a counted task, and end it when the block ends or raises.

    Within the block `progress.advance` counts on. A live bar that nobody ends hides the cursor of
    the terminal for good, and elsewhere lines go on telling of work that is over.
    """
    progress.start(title, total, unit)
    try:
        yield
    finally:
        progress.finish()


class RenderedCount:
    """Passes a renderer's (done, total) on to a progress reporter, as long as the block lasts.

    A renderer tells that nothing is done before it begins, so that its rate counts from there.
    """

    def __init__(self, progress: Progress, title: str, unit: str) -> None:
        self._progress, self._title, self._unit = progress, title, unit
        self.done = self.total = 0

    def __call__(self, done: int, total: int) -> None:
        """Report that `done` of `total` are ready."""
        if not self.total:
            self._progress.start(self._title, total, self._unit)
        self.total = total
        self._progress.advance(done - self.done)
        self.done = done

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.finish()
