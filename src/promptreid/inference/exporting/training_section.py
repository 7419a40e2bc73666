"""The part of a model card that says what a model learned from, and how to train it again."""

from __future__ import annotations

import json
import shlex

from promptreid.config.recipe_settings import changes
from promptreid.config.recipes import load_recipe
from promptreid.config.schema import Recipe
from promptreid.data.data_spec import DataSpec, parse_spec
from promptreid.errors import ConfigError
from promptreid.inference.exporting.public_model import name_place
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_records import DataRecord


def name_trained_readers(info: CheckpointInfo, run: RunFolder | None) -> list[str]:
    """Name the readers of the data sets that a model learned from, each once."""
    if run is None or info.recipe is None or not info.recipe.stages:
        return []
    records = (record for record in run.data() if record.role == "train")
    return list(dict.fromkeys(parse_spec(record.spec).name for record in records))


def write_training_section(info: CheckpointInfo, run: RunFolder | None) -> str:
    """Write the section; empty where neither recipe nor run is known.

    Args:
        info: What the checkpoint says, as it goes out.
        run: Where the model was trained; None where that is not known.
    """
    recipe, lines = info.recipe, ["## Training"]
    if recipe is not None:
        lines += ["", f"Recipe `{recipe.name}`: {recipe.description or 'no description'}"]
        lines += ["", f"After {recipe.source}."] if recipe.source else []
    if run is not None:
        lines += ["", "| data | used for | images | identities |", "|---|---|---:|---:|"]
        learns = recipe is not None and bool(recipe.stages)
        lines += [line for record in run.data() for line in _list_splits(record, learns=learns)]
    if recipe is not None and run is not None and recipe.stages:
        lines += ["", "To train it again:", "", "```", _command(recipe, info, run), "```"]
        lines += _list_own_settings(recipe)
    return "\n".join(lines) if len(lines) > 1 else ""


def _list_splits(record: DataRecord, *, learns: bool) -> list[str]:
    """Write a row for each split that was used; nothing is learned from data that only test."""
    used = learns and record.role == "train"
    return [
        f"| {record.name} | {split} | {counts.get('images', 0):,} | "
        f"{counts.get('identities', 0):,} |"
        for split, counts in record.splits.items()
        if used or split != "train"
    ]


def _command(recipe: Recipe, info: CheckpointInfo, run: RunFolder) -> str:
    words = ["promptreid", "train", recipe.name]
    for option, role in (("--data", "train"), ("--test", "test")):
        specs = [_without_places(one.spec) for one in run.data() if one.role == role]
        words += [word for spec in specs for word in (option, spec)]
    words += [] if info.seed is None else ["--seed", str(info.seed)]
    return shlex.join(words)


def _without_places(spec: str) -> str:
    """Put ROOT in the place of a data set's folder, and leave the folders of its options out."""
    parsed = parse_spec(spec)
    options = {key: name_place(value) for key, value in parsed.options.items()}
    return str(DataSpec(parsed.name, "ROOT", options))


def _list_own_settings(recipe: Recipe) -> list[str]:
    """List what was set otherwise than in the recipe of the package that a run was asked for."""
    try:
        own = changes(load_recipe(recipe.name), recipe)
    except ConfigError:  # a file of somebody's own
        return []
    if not own:
        return []
    lines = ["", "with these settings in the place of the recipe's:", ""]
    return lines + [f"- `{key}`: {_value_text(value)}" for key, (_, value) in own.items()]


def _value_text(value: object) -> str:
    return "none" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"
