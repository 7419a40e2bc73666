"""Stopping a training by Ctrl-C or a termination request, after a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Interrupted(Exception):  # noqa: N818 - not an error: the user asked for it
    """Training was stopped by a signal after a checkpoint was written."""


class StopSignals:
    """Turn Ctrl-C and a termination request into a flag that is read after the current step.

    Where no step is running (loading, caching features), and at the second request, the
    interruption is immediate.
    """

    def __init__(self, stop: threading.Event, *, waits: Callable[[], bool]) -> None:
        """Prepare to listen while the context lasts.

        Args:
            stop: Set at the first request.
            waits: Tells whether a step is running, which is to end first.
        """
        self._stop, self._waits = stop, waits
        self._handlers_before: list[tuple[int, Any]] = []

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers_before.append((number, signal.signal(number, self._handle)))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._stop.is_set() or not self._waits():
            raise KeyboardInterrupt
        self._stop.set()

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers_before:
            signal.signal(number, handler)
