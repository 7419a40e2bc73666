"""How work goes, told to people: live on a terminal, in plain lines elsewhere, or not at all."""

from __future__ import annotations

from promptreid.progress.epoch_line import epoch_line
from promptreid.progress.lines import Lines
from promptreid.progress.reporting import Calm, Logged, Progress, Silent

__all__ = ["Calm", "Lines", "Logged", "Progress", "Silent", "epoch_line"]
