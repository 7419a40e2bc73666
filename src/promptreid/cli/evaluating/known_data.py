"""What runs say about the data sets that they were trained and tested on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptreid.runs.run_data import list_trained_sources, locate_spec
from promptreid.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from promptreid.evaluation.tables.train_test_matrix import MatrixRow
    from promptreid.models.checkpoint_info import CheckpointInfo


def find_run_data(models: Sequence[Path]) -> tuple[str, ...]:
    """Return the data sets of runs that have something to test on, each once."""
    specs: dict[str, None] = {}
    for model in models:
        run = RunFolder.of(model)
        if run is None:
            raise click.UsageError(
                f"Give --data NAME:ROOT, the data set to score on; {model} does not name one."
            )
        specs |= dict.fromkeys(locate_spec(run, record) for record in run.data() if record.protocol)
    if not specs:
        raise click.UsageError(
            "Give --data NAME:ROOT, the data set to score on; those that were trained on have "
            "nothing to test on."
        )
    return tuple(specs)


def matrix_row(name: str, model: Path, info: CheckpointInfo) -> MatrixRow:
    """Say what a model of a name was trained on, out of the run that its path belongs to."""
    from promptreid.evaluation.tables.train_test_matrix import MatrixRow

    run = RunFolder.of(model)
    if run is not None and (info.recipe is None or info.recipe.stages):
        return MatrixRow(name, list_trained_sources(run.data()))
    elsewhere = run is None or info.recipe is None or info.recipe.start.checkpoint is not None
    return MatrixRow(name, None if elsewhere else ())
