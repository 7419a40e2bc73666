"""Weights & Biases, online or offline."""

from __future__ import annotations

import importlib
import os
import secrets
from collections.abc import Mapping
from typing import Any

from promptreid.tracking.tracker import Outcome, Pixels, RunInfo, TrackedRun

PROJECT = "promptreid"
STEP = "epochs"
_EXIT_CODES: Mapping[Outcome, int] = {"complete": 0, "failed": 1, "stopped": 130}


class WandbTracker:
    """Writes to a Weights & Biases project; the id of a tracked run is `PROJECT/RUN`.

    WANDB_MODE says whether online or offline. Where it says nothing and nobody is logged in, the
    run is kept offline in the run folder, for `wandb sync`, since a training run must not wait for
    an answer at a prompt.
    """

    def __init__(self, place: str) -> None:
        """Take `PROJECT` or `ENTITY/PROJECT`; empty for WANDB_PROJECT, or else `promptreid`."""
        entity, _, project = place.rpartition("/")
        self._entity, self._project = entity or None, project
        self._wandb: Any = None
        self._run: Any = None

    def start(self, info: RunInfo, known: str | None) -> TrackedRun:
        """Begin or continue a run."""
        self._wandb = wandb = importlib.import_module("wandb")
        project = self._project or os.environ.get("WANDB_PROJECT") or PROJECT
        # The project is part of what continues a run: the environment may name another by then.
        project, _, key = (known or f"{project}/{secrets.token_hex(4)}").rpartition("/")
        self._run = wandb.init(
            project=project,
            entity=self._entity,
            id=key,
            name=info.name,
            dir=str(info.folder),
            config=info.config,
            mode=_mode(wandb),
            resume="allow",
            # A run of our own, whatever run the calling program has open.
            reinit="create_new",
            settings=wandb.Settings(console="off", silent=True),
        )
        # The program's own step only grows, so an epoch that comes again would be lost with it.
        self._run.define_metric(STEP, hidden=True)
        self._run.define_metric("*", step_metric=STEP)
        return TrackedRun(
            f"{project}/{key}", self._run.url or f"wandb sync {self._run.settings.sync_dir}"
        )

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Send one row."""
        self._run.log({**values, STEP: step})

    def image(self, name: str, pixels: Pixels, step: int) -> None:
        """Send one picture."""
        self._run.log({name: self._wandb.Image(pixels), STEP: step})

    def summary(self, scores: Mapping[str, float]) -> None:
        """Set the scores that the table of runs shows."""
        self._run.summary.update(dict(scores))

    def finish(self, outcome: Outcome) -> None:
        """End the session, and wait until everything is sent."""
        self._run.finish(exit_code=_EXIT_CODES[outcome])


def _mode(wandb: Any) -> str | None:
    """Return None where the user or the environment has decided, "offline" where nobody has."""
    if os.environ.get("WANDB_MODE") or os.environ.get("WANDB_API_KEY"):
        return None
    return None if wandb.login(prompt=False, verify=False) else "offline"
