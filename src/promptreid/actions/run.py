"""A run, as people look at it: what it is, what it scored, and what can be made of it."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from promptreid.actions.compare_scores import ComparedRuns, compare
from promptreid.actions.draw_figure import figure
from promptreid.actions.evaluate_models import Evaluation, evaluate
from promptreid.actions.model import Model, load
from promptreid.actions.run_data_specs import path_of
from promptreid.actions.write_report import WrittenReport, report
from promptreid.config.schema import Recipe
from promptreid.evaluation.metrics import METRICS
from promptreid.evaluation.thresholds.stored_threshold import read_threshold
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.figures.drawn import Drawn
from promptreid.models.checkpoint import read_info
from promptreid.runs.run_folder import RunFolder

_SHOWN = MappingProxyType({"mAP": "mAP", "rank1": "rank-1"})
"""Scores that a run says of itself, and how they are called."""


class Run:
    """The folder of a run, made by `promptreid.train` or by the command.

    It may be given wherever the path of a run is taken.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a run.

        Raises:
            RunError: There is no run.
            ConfigError: It is no path.
        """
        self._folder = RunFolder.open(path_of(path, what="run"))
        self.path = self._folder.path

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    @property
    def state(self) -> str:
        """How far it is: "started", "training", "stopped", "failed" or "complete"."""
        return self._folder.status().status

    @property
    def recipe(self) -> Recipe:
        """The recipe with all its settings."""
        return self._folder.recipe()

    @property
    def data(self) -> tuple[str, ...]:
        """The specs of the data sets that were learned from."""
        return tuple(one.spec for one in self._folder.data() if one.role == "train")

    @property
    def note(self) -> str:
        """What the run is for, as its maker wrote; empty without a note.

        It can be set, as `promptreid note` does; "" takes it away. A run that is being trained
        raises a RunError.
        """
        return self._folder.note()

    @note.setter
    def note(self, text: str) -> None:
        self._folder.change_note(text)

    @property
    def results(self) -> tuple[dict[str, Any], ...]:
        """All scores with all that belongs to them, one record for each data set tested.

        They are what `scores.json` holds; there are none where there was nothing to test on.
        """
        return self._folder.scores() if self._folder.has_scores else ()

    @property
    def scores(self) -> dict[str, float]:
        """The scores on the data set that was tested, the first of several, as fractions of 1.

        Keys are those of `promptreid compare --metric`, such as "mAP" and "rank1".
        """
        for result in self.results[:1]:
            return {one.key: one.read(result) for one in METRICS.values() if one.is_in(result)}
        return {}

    @property
    def history(self) -> list[dict[str, Any]]:
        """What each epoch of training left, one row each; `pandas.DataFrame` takes it."""
        if not self._folder.has_metrics:
            return []
        return [
            {"stage": stage.name, "epoch": epoch}
            | {name: values[place] for name, values in stage.columns.items()}
            for stage in self._folder.training().stages
            for place, epoch in enumerate(stage.epochs)
        ]

    @property
    def threshold(self) -> Threshold | None:
        """From which score on two images show one identity; None where none was chosen."""
        return read_threshold(read_info(self._folder.weights).verification)

    def model(self, device: str | None = None, *, precision: str = "fp32") -> Model:
        """Load the trained model; see `promptreid.load`."""
        return load(self.path, device, precision=precision)

    def compare(self, *others: str | os.PathLike[str], **how: Any) -> ComparedRuns:
        """Set the run beside others; see `promptreid.compare`."""
        return compare(self, *others, **how)

    def evaluate(self, data: str | Sequence[str] | None = None, **how: Any) -> Evaluation:
        """Score the model on data, its own by default; see `promptreid.evaluate`."""
        return evaluate(self, data=data, **how)

    def report(self, **how: Any) -> WrittenReport:
        """Write all about the run into one HTML page; see `promptreid.report`."""
        return report(self, **how)

    def figure(self, kind: str = "curves", **how: Any) -> Drawn:
        """Draw learning curves or another figure of the run; see `promptreid.figure`."""
        return figure(kind, self, **how)

    def __repr__(self) -> str:
        return f"Run({self.path}: {', '.join(self._facts.values())})"

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        rows = {"run": str(self.path), **self._facts, "note": self.note}
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in rows.items()
            if value
        )
        return f"<table>{cells}</table>"

    @property
    def _facts(self) -> dict[str, str]:
        """What the run says of itself, in words."""
        facts = {"recipe": self.recipe.name, "data": f"on {' and '.join(self.data)}"}
        facts["state"] = self.state
        scores = self.scores
        if scores:
            facts["scores"] = ", ".join(
                f"{name} {100 * scores[key]:.1f} %" for key, name in _SHOWN.items() if key in scores
            )
        return facts
