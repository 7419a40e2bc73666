"""What a tracker is told, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(H, W, 3) RGB."""

Outcome = Literal["complete", "stopped", "failed"]


@dataclass(frozen=True)
class RunInfo:
    """What a tracker needs to know of a run before the first epoch.

    Attributes:
        name: Name of the run folder.
        folder: The run folder.
        recipe: The resolved recipe.
        environment: What `environment.json` holds.
        data: The records of `data.json`.
        step: Number of epochs already trained, over all stages; 0 for a new run.
        files: Files that say what the run is, for trackers that store files.
    """

    name: str
    folder: Path
    recipe: Mapping[str, Any]
    environment: Mapping[str, Any]
    data: tuple[Mapping[str, Any], ...]
    step: int = 0
    files: tuple[Path, ...] = ()

    @property
    def config(self) -> dict[str, Any]:
        """Recipe, environment and data as one tree."""
        return {
            "recipe": dict(self.recipe),
            "environment": dict(self.environment),
            "data": [dict(record) for record in self.data],
        }


@dataclass(frozen=True)
class TrackedRun:
    """A run as a tracker knows it.

    Attributes:
        id: What continues the run later.
        where: Where a person finds the run: an address, or a command.
    """

    id: str
    where: str


class Tracker(Protocol):
    """A place that run results are copied to.

    Calls come in this order: `start` once, then `log`, `image` and `summary` any number of times,
    then `finish` once. Any of them may raise anything; the caller drops the tracker then.
    """

    def start(self, info: RunInfo, known: str | None) -> TrackedRun:
        """Begin a tracked run, or continue the one whose id is `known`."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Take the numbers of one epoch; `step` counts epochs over all stages, from 1.

        An epoch that a killed run had not saved comes again after the resume, with its step.
        """

    def image(self, name: str, pixels: Pixels, step: int) -> None:
        """Take a picture."""

    def summary(self, scores: Mapping[str, float]) -> None:
        """Take the final scores."""

    def finish(self, outcome: Outcome) -> None:
        """End the session; a stopped or failed run may be continued in another."""
