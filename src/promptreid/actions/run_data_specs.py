"""The data sets that runs were trained and tested on, where none is named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.errors import ConfigError, RunError
from promptreid.hub.hub_address import is_hub_address
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


def path_of(place: object, *, what: str = "run or checkpoint") -> Path:
    """Return the path of what somebody names.

    Raises:
        ConfigError: It is no path, such as a data set in the place of a run.
    """
    if isinstance(place, str | os.PathLike):
        return Path(place)
    hint = " Give data by name: data=..." if isinstance(place, DataSet) else ""
    raise ConfigError(
        f"A {what} is named by its path, such as 'runs/mine', or by a Run; got "
        f"{type(place).__name__}.{hint}"
    )


def existing_models(models: Sequence[str | os.PathLike[str]]) -> tuple[Path, ...]:
    """Return the paths of runs or checkpoints, all of which are there; the hub gives its own.

    Raises:
        ConfigError: None is given.
        RunError: There is nothing at one of them.
        WeightsError: The hub does not give one.
    """
    if not models:
        raise ConfigError("Name a run or checkpoint, or several.")
    return tuple(map(_existing_model, models))


def _existing_model(model: str | os.PathLike[str]) -> Path:
    path = path_of(model)
    if is_hub_address(os.fspath(model)):
        return RunFolder.checkpoint_of(os.fspath(model))
    if not path.exists():
        hint = f" Data are given by name: data={str(model)!r}." if ":" in str(model) else ""
        raise RunError(f"There is no run or checkpoint {model}.{hint}")
    return path
