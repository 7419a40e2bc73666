"""Say how training goes: a live line on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from promptreid.text.safe import visible, visible_lines
from promptreid.text.streams import guarded, unguarded

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn

_PLAIN_SECONDS = 15.0


class Progress(Protocol):
    """Where the trainer reports to."""

    def message(self, text: str) -> None:
        """Say one thing."""

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin a counted task."""

    def advance(self, count: int) -> None:
        """Count on; called once a step, so it must be cheap."""

    def finish(self) -> None:
        """End the counted task."""


class Silent:
    """Report nothing."""

    def message(self, text: str) -> None:
        """Say nothing."""

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin nothing."""

    def advance(self, count: int) -> None:
        """Count nothing."""

    def finish(self) -> None:
        """End nothing."""


class Logged:
    """Report to someone else, and keep what is said in a file, each line with its time."""

    def __init__(self, progress: Progress, path: Path) -> None:
        self._progress, self._path = progress, path

    def message(self, text: str) -> None:
        """Say one thing and write it down."""
        self._progress.message(text)
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        said = visible_lines(text).split("\n")
        lines = "".join(f"{now}  {line}\n" for line in said if line.strip())
        with self._path.open("a", encoding="utf-8") as file:
            file.write(lines)

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin a counted task."""
        self._progress.start(title, total, unit)

    def advance(self, count: int) -> None:
        """Count on."""
        self._progress.advance(count)

    def finish(self) -> None:
        """End the counted task."""
        self._progress.finish()


class Lines:
    """Report to a stream: a live bar on a terminal, lines now and then elsewhere."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = guarded(stream if stream is not None else sys.stderr)
        self._bar: Bar | None = None
        self._title, self._unit, self._total = "", "", 0
        self._done, self._begun, self._shown = 0, 0.0, 0.0

    def message(self, text: str) -> None:
        """Print one line above the bar."""
        if self._bar is not None:
            self._bar.console.print(
                visible_lines(text), markup=False, highlight=False, soft_wrap=True
            )
        else:
            print(text, file=self._stream, flush=True)

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin a counted task of `total` units."""
        self.finish()
        self._title, self._unit, self._total, self._done = title, unit, total, 0
        self._begun = self._shown = time.monotonic()
        if self._stream.isatty():
            self._bar = _bar(unguarded(self._stream), unit)
            self._bar.add_task(visible(title), total=total)
            self._bar.start()

    def advance(self, count: int) -> None:
        """Count on; show the rate and the time left when it is time to."""
        self._done += count
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], count)
            return
        now = time.monotonic()
        if now - self._shown < _PLAIN_SECONDS:
            return
        self._shown = now
        rate = self._done / max(now - self._begun, 1e-9)
        left = clock((self._total - self._done) / rate) if rate > 0 else "?"
        self.message(
            f"{self._title}  {self._done}/{self._total} {self._unit}  {rate:.1f}/s  {left} left"
        )

    def finish(self) -> None:
        """End the counted task and take its bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar(stream: IO[str], unit: str) -> Bar:
    # Imported here: rich takes longer to import than most commands take to run.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        _speed_column(),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=Console(file=stream),
        transient=True,
    )


def _speed_column() -> ProgressColumn:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Speed(ProgressColumn):
        """Units per second, once there is something to divide."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    return Speed()


def clock(seconds: float) -> str:
    """Write a duration as `1:02:03` or `2:03`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def epoch_line(row: Mapping[str, Any], epochs: int) -> str:
    """Write one epoch of the metrics table as a line for people."""
    parts = [f"{row['stage']} {row['epoch']}/{epochs}", f"loss {row['loss']:.4f}"]
    parts += [
        f"{name.removeprefix('loss_')} {value:.4f}"
        for name, value in row.items()
        if name.startswith("loss_")
    ]
    if row.get("accuracy") not in (None, ""):
        parts.append(f"accuracy {row['accuracy']:.1%}")
    if "positives" in row:
        parts.append(f"positives {row['positives']:.2f}")
    if row.get("val_mAP") not in (None, ""):
        parts.append(f"val mAP {row['val_mAP']:.1%} rank-1 {row['val_rank1']:.1%}")
    if row.get("waited"):
        parts.append(f"no better for {row['waited']}")
    parts.append(f"lr {row['lr']:.2e}")
    parts.append(f"{row['images'] / max(row['seconds'], 1e-9):.0f} images/s")
    return "  ".join(parts)
