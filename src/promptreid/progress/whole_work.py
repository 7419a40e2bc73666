"""How long a whole piece of work will take, from what its parts have taken so far."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from promptreid.progress.reporting import Passed, Progress

EMBEDDING = "embedding"
"""Name of all tasks that embed images; they come again and again."""

_HALF = re.compile(r"^half \d+/\d+: ")
_COUNT = re.compile(r" \d+/\d+$")


@dataclass
class Work:
    """A part of the work that is still to be done.

    Attributes:
        name: Name of its tasks, as `task_name` makes it of their titles.
        units: Number of units that are left, over all its tasks.
        weight: How long a unit takes beside those of other parts, a guess until one was measured.
        kind: Parts of one kind take equally long a unit; its name where that is empty.
    """

    name: str
    units: float
    weight: float = 1.0
    kind: str = ""


def task_name(title: str) -> str:
    """Name a task by its title: without numbers of epochs, halves alike, all embedding alike."""
    if title.startswith("embedding ") or _HALF.sub("", title).startswith("embedding "):
        return EMBEDDING
    half = "half: " if _HALF.match(title) else ""
    return half + _COUNT.sub("", _HALF.sub("", title))


class Whole(Passed):
    """Pass reports on, and say how long all that is planned after the current task will take.

    Args:
        progress: Listener that reports are passed on to.
        works: What is planned, in order. Parts that come before the one being done count as done,
            except for embedding.
    """

    def __init__(self, progress: Progress, works: Sequence[Work]) -> None:
        super().__init__(progress)
        self._works = {work.name: work for work in works}
        self._order = [work.name for work in works]
        self._seconds: dict[str, float] = {}
        self._units: dict[str, float] = {}
        self._weighted = 0.0
        self._task, self._total, self._done, self._begun = "", 0, 0, 0.0
        progress.later(self.seconds_after)

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin a counted task."""
        self.finish()
        self._task, self._total, self._done = task_name(title), total, 0
        self._begun = time.monotonic()
        if self._task in self._works and self._task != EMBEDDING:
            for name in self._order[: self._order.index(self._task)]:
                if name != EMBEDDING:
                    self._works[name].units = 0
        super().start(title, total, unit)

    def advance(self, count: int) -> None:
        """Count on."""
        self._done += count
        super().advance(count)

    def finish(self) -> None:
        """End the counted task and learn from how long it took."""
        if self._task in self._works:
            work = self._works[self._task]
            seconds = time.monotonic() - self._begun
            kind = work.kind or work.name
            self._seconds[kind] = self._seconds.get(kind, 0) + seconds
            self._units[kind] = self._units.get(kind, 0) + self._done
            self._weighted += self._done * work.weight
            work.units = max(0.0, work.units - self._total)
        self._task = ""
        super().finish()

    def seconds_after(self) -> float | None:
        """Estimate what comes after the current task; None before anything was measured."""
        running = self._works.get(self._task)
        seconds, units, weighted = dict(self._seconds), dict(self._units), self._weighted
        if running is not None and self._done:
            kind = running.kind or running.name
            seconds[kind] = seconds.get(kind, 0) + time.monotonic() - self._begun
            units[kind] = units.get(kind, 0) + self._done
            weighted += self._done * running.weight
        if not weighted:
            return None
        usual = sum(seconds.values()) / weighted
        total = 0.0
        for work in self._works.values():
            left = work.units - (self._total if work is running else 0)
            kind = work.kind or work.name
            each = seconds[kind] / units[kind] if units.get(kind) else usual * work.weight
            total += max(0.0, left) * each
        return total
