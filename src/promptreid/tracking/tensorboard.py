"""TensorBoard: event files in the run folder, or beside those of other runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptreid.tracking.tracker import Outcome, Pixels, RunInfo, TrackedRun

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_FOLDER = "tensorboard"


class TensorBoardTracker:
    """Writes event files.

    The id of a tracked run is its folder, relative where it lies inside the run folder, so that a
    run that is moved keeps its history.
    """

    def __init__(self, place: str) -> None:
        """Take a folder for one folder per run; empty for `tensorboard` in the run folder."""
        self._place = place
        self._writer: SummaryWriter | None = None
        self._step = 0

    def start(self, info: RunInfo, known: str | None) -> TrackedRun:
        """Open the event files; of epochs that come again, the earlier ones are hidden."""
        from torch.utils.tensorboard import SummaryWriter

        self._step = info.step
        key = known or _FOLDER
        if known is None and self._place:
            key = str(_free(Path(self._place).resolve(), info.name))
        folder = info.folder / key  # an absolute one stands for itself
        purged = None if known is None else info.step + 1
        self._writer = SummaryWriter(str(folder), purge_step=purged)
        if known is None:
            for name, value in info.config.items():
                self._writer.add_text(name, _code(value), global_step=0)
        self._writer.flush()
        return TrackedRun(key, f"tensorboard --logdir {folder}")

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Write one scalar per number."""
        assert self._writer is not None
        for name, value in values.items():
            self._writer.add_scalar(name, value, global_step=step)
        self._step = step
        self._writer.flush()  # so that a look during the run sees the epoch that has ended

    def image(self, name: str, pixels: Pixels, step: int) -> None:
        """Write one picture."""
        assert self._writer is not None
        self._writer.add_image(name, pixels, global_step=step, dataformats="HWC")
        self._writer.flush()

    def summary(self, scores: Mapping[str, float]) -> None:
        """Write the scores as scalars at the last epoch, and as text."""
        assert self._writer is not None
        for name, value in scores.items():
            self._writer.add_scalar(name, value, global_step=self._step)
        self._writer.add_text("scores", _code(dict(scores)), global_step=self._step)
        self._writer.flush()

    def finish(self, outcome: Outcome) -> None:
        """Close the event files, with the outcome as text."""
        assert self._writer is not None
        self._writer.add_text("status", outcome, global_step=self._step)
        self._writer.close()


def _free(parent: Path, name: str) -> Path:
    """Return a folder for a new run that no other run of the same name uses."""
    taken = {path.name for path in parent.iterdir()} if parent.is_dir() else set()
    names = (name if number == 1 else f"{name}-{number}" for number in range(1, len(taken) + 2))
    return parent / next(free for free in names if free not in taken)


def _code(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return "\n".join("    " + line for line in text.splitlines())  # Markdown's code block
