"""What a training is asked for, checked before anything slow is imported."""

from __future__ import annotations

import json
import numbers
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptreid.config.reading.keys import keys_meant, meaning
from promptreid.config.recipes import load_recipe, resolve_recipe
from promptreid.config.schema import Recipe
from promptreid.data.data_spec import parse_spec
from promptreid.data.reader_registry import READERS, reader_entry
from promptreid.errors import ConfigError, DataError
from promptreid.runs.run_note import clean_note
from promptreid.runs.run_place import check_free, is_run
from promptreid.text.lists import list_words, listed
from promptreid.tracking.track_option import check_installed, parse_trackers
from promptreid.training.stage.early_stopping import validation_metric

if TYPE_CHECKING:
    from promptreid.data.dataset import DataSet

HARDWARE = ("precision", "compile", "checkpointing", "accumulate", "auto_batch")
"""Settings of a recipe's section `hardware` that have an option of their own."""

Overrides = Mapping[str, Any] | Sequence[str]
"""Settings by dotted key, or texts `dotted.key=value`."""


def check_training(
    recipe: str | None,
    overrides: Sequence[str],
    *,
    data: Sequence[str],
    test: Sequence[str],
    out: Path | None,
    resume: bool,
    overwrite: bool,
    track: Sequence[str],
    note: str | None,
    estimate: bool = False,
) -> tuple[str, ...]:
    """Find mistakes in what a training is asked for.

    The arguments are those of `promptreid train`, checked together; what is only to be estimated
    leaves no folder.

    Returns:
        A sentence for each setting that is recorded under another name than was given.

    Raises:
        ConfigError: The recipe, a setting, a data set or a tracker is wrong, or two arguments
            exclude each other.
        RunError: The folder is taken, or the note is too long.
    """
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite exclude each other.")
    if resume and out is None:
        raise ConfigError("--resume needs --out, the run folder to continue.")
    if recipe is not None:
        _check_is_recipe(recipe)
    continues = resume and out is not None and is_run(out)
    if not continues:
        if recipe is None:
            raise ConfigError("Give a RECIPE; `promptreid recipes` lists them.")
        if not data:
            raise ConfigError("Give --data NAME:ROOT, the data set to train on.")
    notes: tuple[str, ...] = ()
    if recipe is not None:
        resolved, notes = resolve_recipe(recipe, overrides)
        validation_metric(resolved.validation)
    for spec in (*data, *test):
        reader_entry(parse_spec(spec).name)
    if out is not None and not (resume or estimate):
        check_free(out, overwrite=overwrite)
    check_installed(parse_trackers(track))
    if note is not None:
        clean_note(note)
    return notes


def _check_is_recipe(name: str) -> None:
    """Explain a data set or a folder where the recipe belongs."""
    is_folder = Path(name).is_dir()
    if name.partition(":")[0] not in READERS and not is_folder:
        return
    if ":" in name or is_folder:
        spec = f"folder:{name}" if is_folder else name
        raise ConfigError(
            f"{name} is a {'folder' if is_folder else 'data set'}, and a recipe belongs there. "
            f"Write: promptreid train RECIPE --data {shlex.quote(spec)}, with a recipe such as "
            "clip-reid/tiny; `promptreid recipes` lists them."
        )


def list_settings(
    recipe: str | None, overrides: Overrides | None, short: Mapping[str, Any]
) -> tuple[str, ...]:
    """Write settings as texts `dotted.key=value`.

    Args:
        recipe: The recipe, which says what a short name stands for; None for that of a run which
            goes on, which knows only full keys and `HARDWARE`.
        overrides: Settings by full key.
        short: Settings by the last part of their key, such as "epochs"; those that are None are
            left out.

    Raises:
        ConfigError: A short name is unknown or may stand for several keys, or a value is none of a
            recipe.
    """
    texts: list[str] = []
    if isinstance(overrides, Mapping):
        texts += [f"{key}={_write_value(key, value)}" for key, value in overrides.items()]
    else:
        texts += list_words(overrides or ())
    given = {name: value for name, value in short.items() if value is not None}
    others = {name: value for name, value in given.items() if name not in HARDWARE}
    for name in (name for name in given if name in HARDWARE):
        texts.append(f"hardware.{name}={_write_value(name, given[name])}")
    if not others:
        return tuple(texts)
    if recipe is None:
        raise ConfigError(
            f"{listed(list(others))}: a run that goes on takes full keys, such as "
            'overrides={"stages.image.epochs": 10}.'
        )
    values = load_recipe(recipe).model_dump(mode="json")
    for name, value in others.items():
        texts.append(f"{_find_key(recipe, name, value, values)}={_write_value(name, value)}")
    return tuple(texts)


def name_recipe(recipe: object) -> str | None:
    """Return the name or file of a recipe as text; None stays None.

    Raises:
        ConfigError: It is neither.
    """
    if recipe is None or isinstance(recipe, str | os.PathLike):
        return None if recipe is None else os.fspath(recipe)
    raise ConfigError(
        f"A recipe is a name such as 'clip-reid/tiny', or a YAML file; got "
        f"{type(recipe).__name__}. Write train(recipe, data)."
    )


def list_specs(
    data: str | DataSet | Sequence[str | DataSet], *, argument: str = "data"
) -> tuple[str, ...]:
    """Return the specs of one or several data sets.

    Raises:
        ConfigError: It is no data set, or one that was changed after it was read or was made in
            memory, so that no spec stands for it.
        DataError: It cannot be read again.
    """
    several = [data] if isinstance(data, str) or not isinstance(data, Sequence) else list(data)
    return tuple(_find_spec(one, argument) for one in several)


def _find_key(recipe: str, name: str, value: Any, values: Mapping[str, Any]) -> str:
    """Return the one key that a short name stands for."""
    meant = keys_meant(name, Recipe, values)
    if len(meant) == 1:
        return meant[0]
    if not meant:
        raise ConfigError(
            f"Recipe {recipe!r} has no setting {name}.{meaning([name], Recipe, values)}"
        )
    example = json.dumps({meant[0]: value}, default=str)
    raise ConfigError(
        f"{name} may stand for {listed(meant, 'or')} of recipe {recipe!r}. Give the full key: "
        f"overrides={example}."
    )


def _write_value(key: str, value: Any) -> str:
    """Write a value of Python as the YAML of an override."""
    try:
        return json.dumps(value, default=_plain_value)
    except (TypeError, ValueError):
        raise ConfigError(
            f"The value of {key} is of type {type(value).__name__}; a setting is a number, a text, "
            "True or False, None, or a list or dict of these."
        ) from None


def _plain_value(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    raise TypeError


def _find_spec(dataset: object, argument: str) -> str:
    if isinstance(dataset, str | os.PathLike):
        return os.fspath(dataset)
    from promptreid.data.dataset import DataSet
    from promptreid.data.load_data import load_data

    if not isinstance(dataset, DataSet):
        raise ConfigError(
            f"{argument} is a data set that load_data gave, or its spec, such as 'folder:photos'; "
            f"got {type(dataset).__name__}."
        )
    if not dataset.spec:
        raise ConfigError(
            f"The data set {dataset.manifest.name} was made in memory, and a run notes where its "
            f"data lie. Write it to a CSV file and give {argument}='csv:FILE'."
        )
    try:
        now = load_data(dataset.spec).manifest.fingerprint()
    except DataError as error:
        raise DataError(f"The data set {dataset.spec} cannot be read again. {error}") from error
    if now != dataset.manifest.fingerprint():
        raise ConfigError(
            f"The data set {dataset.spec} is not as it was read: it was changed in memory, or its "
            "files are others now. A run notes where its data lie, so read it again, or write "
            f"yours to a CSV file and give {argument}='csv:FILE'."
        )
    return dataset.spec
