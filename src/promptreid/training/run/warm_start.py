"""Start a model from the weights of an earlier run, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from promptreid.config.checkpoints import StartConfig
from promptreid.errors import ConfigError, WeightsError
from promptreid.hub.hub_address import is_hub_address
from promptreid.models.checkpoint import load_model
from promptreid.models.part_names import find_part, part_names
from promptreid.models.prompts.prompt import Prompt
from promptreid.models.reid import ReIDModel
from promptreid.models.tuning.tuning import addition_names
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_place import is_run


def start_from(
    model: ReIDModel, start: StartConfig, classes: Sequence[str], *, progress: Any
) -> None:
    """Copy weights of an earlier run into a fresh model.

    The image and text towers must be of the same architecture; positions are resized where the
    image size differs. Low-rank updates are folded into the matrices when the new model has none.
    Prompts and classifiers are taken row by row for identities of the same name; everything that
    the earlier run lacks keeps its fresh values. What was taken is reported in a line a part.

    Args:
        model: Changed in place.
        start: Where from, and which parts; nothing happens without a checkpoint.
        classes: Identity of each class of `model`.
        progress: Where to report.

    Raises:
        WeightsError: There is no readable checkpoint.
        ConfigError: A part that was asked for is not there or does not fit.
    """
    if start.checkpoint is None:
        return
    path = _find_checkpoint(start.checkpoint)
    donor, info = load_model(path)
    donated_additions = _match_tower(model, donor, path)
    rows = _common_rows(classes, info.classes)
    weights, donated = model.state_dict(), donor.state_dict()
    fixed, per_identity = _prompt_tensors(model.prompt)
    left_out = {"logit_scale", *addition_names()} - donated_additions
    chosen = start.parts or tuple(part for part in part_names() if part not in left_out)
    for part in chosen:
        names = [name for name in weights if find_part(name) == part]
        if part == "prompt":
            names = [name for name in names if name not in fixed]
        taken = []
        for name in names:
            pairs = rows if name.startswith(per_identity) else None
            if _copy_fitting(weights[name], donated.get(name), pairs):
                taken.append(name)
        if names and (taken or start.parts is not None):
            by_identity = any(name.startswith(per_identity) for name in taken)
            _report(part, names, taken, rows if by_identity else None, classes, start, progress)
        elif not names and start.parts is not None:
            raise ConfigError(
                f"start.parts asks for {part}, but this model has none. Take it out of start.parts "
                f"or give the model a {part}."
            )
        if part == "image" and len(taken) < len(names):
            missing = sorted(set(names) - set(taken))
            raise ConfigError(
                f"The image tower of {path} does not fit {model.backbone.name}: "
                f"{len(missing)} of {len(names)} tensors differ, such as {missing[0]}. Set "
                f"backbone.name={donor.backbone.name}, or leave image out of start.parts."
            )


def _find_checkpoint(checkpoint: str) -> Path:
    if is_hub_address(checkpoint):
        return RunFolder.checkpoint_of(checkpoint)
    path = Path(checkpoint)
    if path.is_dir():
        path = RunFolder(path).best if is_run(path) else RunFolder.checkpoint_of(path)
    if not path.is_file():
        raise WeightsError(
            f"start.checkpoint is {checkpoint!r}, where there is no finished run and no checkpoint "
            "file. Give a run folder, a .safetensors file that promptreid wrote, or hf:OWNER/NAME."
        )
    return path


def _match_tower(model: ReIDModel, donor: ReIDModel, path: Path) -> set[str]:
    """Bring the donor's image tower to the new model's size and additions.

    Returns:
        Names of the additions whose weights the donor gives.
    """
    tower, donor_tower = model.backbone.image, donor.backbone.image
    for name, addition in list(donor_tower.tuning.items()):
        counterpart = tower.tuning.get(name)
        if addition.folds and (counterpart is None or counterpart.options != addition.options):
            addition.fold(donor_tower)
            donor_tower.remove_addition(name)
        elif counterpart is None:
            raise ConfigError(
                f"The image tower of {path} has tuning.{name}, without which its weights mean "
                f"something else. Set tuning.{name} as in that run."
            )
    donated_additions = set(donor_tower.tuning)
    for name, addition in tower.tuning.items():
        if addition.folds and name not in donor_tower.tuning:
            # Only for the names of the weights; the new model's addition stays fresh.
            type(addition).build(donor_tower, addition.options, torch.Generator())
    alike = (donor_tower.image_size, donor_tower.stride) == (tower.image_size, tower.stride)
    if type(tower) is type(donor_tower) and not alike:
        donor_tower.fit(tower.image_size, tower.stride)
    return donated_additions


def _common_rows(classes: Sequence[str], earlier: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return rows of the new table and of the old one that belong to the same identity."""
    place = {name: row for row, name in enumerate(earlier)}
    pairs = [(row, place[name]) for row, name in enumerate(classes) if name in place]
    new, old = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T
    return new, old


def _prompt_tensors(prompt: Prompt | None) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return names of tensors that stay as they are, and beginnings of those with a row each."""
    if prompt is None:
        return frozenset(), ("head.classifiers.",)
    fixed = frozenset(f"prompt.{name}" for name in prompt.fixed)
    return fixed, ("head.classifiers.", *(f"prompt.{name}" for name in prompt.per_identity))


def _copy_fitting(
    weight: Tensor, donated: Tensor | None, rows: tuple[Tensor, Tensor] | None
) -> bool:
    """Copy what fits, row by row where `rows` pairs identities; return whether anything did."""
    if donated is None:
        return False
    if rows is not None and len(weight) > 1:
        if weight.shape[1:] != donated.shape[1:] or not len(rows[0]):
            return False
        weight[rows[0]] = donated[rows[1]].to(weight.dtype)
        return True
    if weight.shape != donated.shape:
        return False
    weight.copy_(donated)
    return True


def _report(
    part: str,
    names: Sequence[str],
    taken: Sequence[str],
    rows: tuple[Tensor, Tensor] | None,
    classes: Sequence[str],
    start: StartConfig,
    progress: Any,
) -> None:
    if not taken:
        raise ConfigError(
            f"start.parts asks for {part}, but nothing of it in {start.checkpoint} fits this model "
            f"({len(names)} tensors here). Take it out of start.parts, or make the recipe agree."
        )
    line = f"{part} from {start.checkpoint}"
    if rows is not None:
        line += f", for {len(rows[0])} of {len(classes)} identities"
    elif len(taken) < len(names):
        line += f", {len(taken)} of {len(names)} tensors"
    progress.message(line)
