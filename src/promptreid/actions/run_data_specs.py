"""The data sets that runs were trained and tested on, where none is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptreid.errors import ConfigError, RunError
from promptreid.runs.run_data import locate_spec
from promptreid.runs.run_folder import RunFolder


def find_run_data(models: Sequence[Path]) -> tuple[str, ...]:
    """Return the data sets of runs that have something to test on, each once.

    Raises:
        ConfigError: A model is no run, or there is nothing to test on.
        RunError: A run is damaged.
    """
    specs: dict[str, None] = {}
    for model in models:
        run = RunFolder.of(model)
        if run is None:
            raise ConfigError(
                f"Give --data NAME:ROOT, the data set to score on; {model} does not name one."
            )
        specs |= dict.fromkeys(locate_spec(run, record) for record in run.data() if record.protocol)
    if not specs:
        raise ConfigError(
            "Give --data NAME:ROOT, the data set to score on; those that were trained on have "
            "nothing to test on."
        )
    return tuple(specs)


def existing_models(models: Sequence[Path]) -> tuple[Path, ...]:
    """Return the paths of runs or checkpoints, all of which are there.

    Raises:
        ConfigError: None is given.
        RunError: There is nothing at one of them.
    """
    if not models:
        raise ConfigError("Name a run or checkpoint, or several.")
    for model in models:
        if not model.exists():
            hint = f" Data are given by name: data={str(model)!r}." if ":" in str(model) else ""
            raise RunError(f"There is no run or checkpoint {model}.{hint}")
    return tuple(models)
