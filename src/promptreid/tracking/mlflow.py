"""MLflow: a tracking server, a database file or a folder."""

from __future__ import annotations

import importlib
import os
import re
import time
from collections.abc import Mapping
from typing import Any

from promptreid.text.flat_tree import flat_tree
from promptreid.tracking.tracker import Outcome, Pixels, RunInfo, TrackedRun

EXPERIMENT = "promptreid"
_STATUSES: Mapping[Outcome, str] = {"complete": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
# What one request takes, by MLflow's own limits.
_PARAMS, _METRICS, _LENGTH = 100, 1000, 500


class MlflowTracker:
    """Writes to an MLflow experiment through a client of its own, beside any run that is open."""

    def __init__(self, place: str) -> None:
        """Take an experiment, an address (`http://host:5000`, `sqlite:///mlflow.db`), or both.

        Both are `ADDRESS#EXPERIMENT`. What is left out comes from MLFLOW_TRACKING_URI and
        MLFLOW_EXPERIMENT_NAME, or else MLflow's own default and `promptreid`.
        """
        self._address, self._experiment = split_place(place)
        self._mlflow: Any = None
        self._client: Any = None
        self._id = ""
        self._step = 0

    def start(self, info: RunInfo, known: str | None) -> TrackedRun:
        """Begin or continue a run."""
        self._mlflow = importlib.import_module("mlflow")
        self._client, self._step = self._mlflow.MlflowClient(self._address), info.step
        if known is not None:
            self._id = known
            self._client.update_run(known, status="RUNNING")
        else:
            name = self._experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
            self._id = self._client.create_run(
                self._experiment_id(name), run_name=info.name
            ).info.run_id
            self._describe(info)
        run = self._client.get_run(self._id)
        where = f"MLflow experiment {run.info.experiment_id}, run {self._id}"
        return TrackedRun(self._id, f"{where} at {self._address}" if self._address else where)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Send the numbers of one epoch."""
        self._send(values, step)
        self._step = step

    def image(self, name: str, pixels: Pixels, step: int) -> None:
        """Send one picture, as `images/NAME/STEP.png`."""
        self._client.log_image(self._id, pixels, f"images/{_key(name)}/{step:05d}.png")

    def summary(self, scores: Mapping[str, float]) -> None:
        """Send the scores as metrics at the last epoch."""
        self._send(scores, self._step)

    def finish(self, outcome: Outcome) -> None:
        """Set the status."""
        self._client.set_terminated(self._id, _STATUSES[outcome])

    def _experiment_id(self, name: str) -> str:
        known = self._client.get_experiment_by_name(name)
        return known.experiment_id if known is not None else self._client.create_experiment(name)

    def _describe(self, info: RunInfo) -> None:
        """Send the recipe as parameters, and whole with environment and data as files."""
        param, settings = self._mlflow.entities.Param, flat_tree(info.recipe)
        params = [param(_key(key), str(value)[:_LENGTH]) for key, value in settings.items()]
        for first in range(0, len(params), _PARAMS):
            self._client.log_batch(self._id, params=params[first : first + _PARAMS])
        for file in info.files:
            self._client.log_artifact(self._id, str(file))

    def _send(self, values: Mapping[str, float], step: int) -> None:
        metric, now = self._mlflow.entities.Metric, int(time.time() * 1000)
        metrics = [metric(_key(name), value, now, step) for name, value in values.items()]
        for first in range(0, len(metrics), _METRICS):
            self._client.log_batch(self._id, metrics=metrics[first : first + _METRICS])


def split_place(place: str) -> tuple[str | None, str]:
    """Split `ADDRESS`, `EXPERIMENT` or `ADDRESS#EXPERIMENT` into an address and an experiment."""
    if re.match(r"[a-z][a-z0-9+-]*:", place) or place == "databricks":
        address, _, experiment = place.partition("#")
        return address, experiment
    return None, place


def _key(name: str) -> str:
    """Replace what MLflow does not take in a name."""
    return re.sub(r"[^\w./ -]", "_", name)
