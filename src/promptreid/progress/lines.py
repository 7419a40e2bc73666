"""Report to a stream: a live bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
import weakref
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from promptreid.progress.bar import counted_bar, endless_bar
from promptreid.progress.reporting import Seconds
from promptreid.text.durations import clock
from promptreid.text.safe import visible_lines
from promptreid.text.streams import guarded, unguarded
from promptreid.text.wrap import WIDTH, wrapped

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

QUIET = 2.5
"""Seconds without a word after which a line says what is being done."""

_QUIET_LATER, _LATER = 15.0, 300.0
"""The same once a command has run for so many seconds: by then nobody waits for each line."""


@dataclass
class _Activity:
    """What is being done; `total` is None where its length is not known."""

    title: str
    total: int | None = None
    unit: str = ""
    done: int = 0
    begun: float = field(default_factory=lambda: time.monotonic())

    def left(self, after: float | None) -> str:
        """Say how fast it goes and when it ends, with what comes after it if that is known."""
        elapsed = time.monotonic() - self.begun
        if self.total is None or not self.done or elapsed <= 0:
            return ""
        seconds = (self.total - self.done) * elapsed / self.done
        time_left = f"{clock(seconds)} left"
        if after is not None:
            time_left = f"{clock(seconds + after)} left in all"
        return f"{self.done / elapsed:.1f}/s  {time_left}"

    def line(self, after: float | None) -> str:
        """Say what is being done and how far it is."""
        if self.total is None:
            return f"{self.title} ... {clock(time.monotonic() - self.begun)}"
        text = f"{self.title}  {self.done}/{self.total} {self.unit}"
        left = self.left(after)
        return f"{text}  {left}" if left else text


class Lines:
    """Report to a stream, standard error by default.

    On a terminal there is a live bar. Elsewhere a line says every few seconds what is being done,
    from a thread of its own, so that long steps are not silent either. Messages are broken to fit
    80 columns, or the terminal.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = guarded(stream if stream is not None else sys.stderr)
        self._terminal = self._stream.isatty()
        self._bar: Bar | None = None
        self._stack: list[_Activity] = []
        self._after: Seconds | None = None
        self._lock = threading.RLock()
        self._made = self._spoke = time.monotonic()
        self._ticker: threading.Thread | None = None

    def message(self, text: str) -> None:
        """Print one or several lines, above the bar if there is one."""
        width = shutil.get_terminal_size((WIDTH, 24)).columns if self._terminal else WIDTH
        with self._lock:
            self._spoke = time.monotonic()
            if self._bar is not None:
                shown = wrapped(visible_lines(text), width=width)
                self._bar.console.print(shown, markup=False, highlight=False, soft_wrap=True)
            else:
                print(wrapped(text, width=width), file=self._stream, flush=True)

    def detail(self, text: str) -> None:
        """Print it as everything else."""
        self.message(text)

    @contextlib.contextmanager
    def doing(self, text: str) -> Generator[None]:
        """Say every few seconds that something is being done, while it lasts."""
        with self._lock:
            depth = len(self._stack)
            self._enter(_Activity(text))
        try:
            yield
        finally:
            with self._lock:
                self._leave(depth)

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin a counted task of `total` units."""
        with self._lock:
            self.finish()
            self._enter(_Activity(title, total, unit))

    def advance(self, count: int) -> None:
        """Count on."""
        if self._stack:
            self._stack[-1].done += count
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], count)

    def finish(self) -> None:
        """End the counted task and take its bar away."""
        with self._lock:
            if self._stack and self._stack[-1].total is not None:
                self._leave(len(self._stack) - 1)

    def later(self, seconds: Seconds | None) -> None:
        """Take note of how long what follows the current task will take."""
        self._after = seconds

    def _enter(self, activity: _Activity) -> None:
        self._stack.append(activity)
        self._show()
        if not self._terminal and (self._ticker is None or not self._ticker.is_alive()):
            self._ticker = threading.Thread(target=_tick, args=(weakref.ref(self),), daemon=True)
            self._ticker.start()

    def _leave(self, depth: int) -> None:
        del self._stack[depth:]
        self._show()

    def _show(self) -> None:
        """Show the innermost activity on a terminal."""
        if not self._terminal:
            return
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        if self._stack:
            top, stream = self._stack[-1], unguarded(self._stream)
            if top.total is None:
                self._bar = endless_bar(stream, top.title)
            else:
                left = lambda: top.left(self._seconds_after())  # noqa: E731
                self._bar = counted_bar(stream, top.title, top.total, top.unit, left)
                self._bar.advance(self._bar.task_ids[0], top.done)

    def _seconds_after(self) -> float | None:
        return None if self._after is None else self._after()

    def tick(self) -> bool:
        """Say what is being done if nothing was said for a while; False when nothing is done."""
        with self._lock:
            if not self._stack:
                return False
            now = time.monotonic()
            quiet = QUIET if now - self._made < _LATER else _QUIET_LATER
            if now - self._spoke >= quiet:
                self.message(self._stack[-1].line(self._seconds_after()))
            return True


def _tick(listener: weakref.ref[Lines]) -> None:
    """Tick while something is being done; a listener that is gone or cannot write ends it."""
    with contextlib.suppress(OSError, ValueError):
        while (lines := listener()) is not None and lines.tick():
            del lines
            time.sleep(0.25)
