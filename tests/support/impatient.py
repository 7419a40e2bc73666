"""A reporter that stops a training halfway."""

from __future__ import annotations

import os
import signal

from promptreid.progress import Silent


class Impatient(Silent):
    """Send a signal, by default that of Ctrl-C, after some images that the run learns from."""

    def __init__(self, images: int, sent: signal.Signals = signal.SIGINT) -> None:
        self.left = images
        self.sent = sent

    def start(self, title: str, total: int, unit: str) -> None:
        self.learns = not title.startswith(("checking", "embedding"))

    def advance(self, count: int) -> None:
        before, self.left = self.left, self.left - count * self.learns
        if before > 0 >= self.left:
            os.kill(os.getpid(), self.sent)
