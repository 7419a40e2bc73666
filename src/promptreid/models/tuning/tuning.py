"""The small additions to an image tower that a recipe's `tuning` names: which there are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from promptreid.errors import ConfigError, unknown_name
from promptreid.models.towers.image_tower import ImageTower
from promptreid.models.tuning.addition import TuningAddition
from promptreid.models.tuning.grouping_adapter import SemanticGroupingAdapter
from promptreid.models.tuning.lora import LowRankUpdates
from promptreid.models.tuning.visual_prompt import VisualPrompt

ADDITIONS: Mapping[str, type[TuningAddition]] = MappingProxyType(
    {"visual_prompt": VisualPrompt, "lora": LowRankUpdates, "adapter": SemanticGroupingAdapter}
)
"""Additions by their key in a recipe's `tuning`, which is their part, in the order of building."""


def addition_names() -> tuple[str, ...]:
    """Return the names of all additions, which are their parts."""
    return tuple(ADDITIONS)


def attach_tuning(
    tower: ImageTower, *, generator: torch.Generator | None = None, **options: Any
) -> None:
    """Add prompt tokens, low-rank updates, an adapter, … to a tower.

    The initial features are changed by prompt tokens and unchanged, to the bit, by LoRA and by the
    adapter (but for its class-token rule "pooled").

    Args:
        tower: Changed in place; it has no additions yet and its weights are in place.
        generator: Source of the initial values, in the order of `ADDITIONS`; None for a generator
            with seed 0.
        options: An addition's `Options` by the names of `ADDITIONS`; None for no such addition.

    Raises:
        ConfigError: There is no addition of a name.
        ModelError: The tower cannot have an addition, such as prompt tokens where there is no
            vision transformer.
    """
    if tower.tuning:
        raise ValueError("this tower has additions already; merge or rebuild it first")
    for name in options:
        if name not in ADDITIONS:
            raise ConfigError(unknown_name("addition to the image tower", name, list(ADDITIONS)))
    generator = generator or torch.Generator().manual_seed(0)
    device = next(tower.parameters()).device
    for name, kind in ADDITIONS.items():
        chosen = options.get(name)
        if chosen is not None:
            addition = kind.build(tower, chosen, generator)
            tower.put_addition(name, addition.to(device).train(tower.training))


def describe_tuning(tower: ImageTower) -> dict[str, Any]:
    """Return the options of a tower's additions by name, JSON-ready."""
    return {
        name: addition.options.model_dump(mode="json") for name, addition in tower.tuning.items()
    }


def restore_tuning(tower: ImageTower, description: Mapping[str, Any]) -> None:
    """Add what `describe_tuning` described to a fresh tower, ready for its weights."""
    options: dict[str, Any] = {
        name: ADDITIONS[name].Options.model_validate(record) if name in ADDITIONS else record
        for name, record in description.items()
    }
    attach_tuning(tower, **options)


def fold_tuning(tower: ImageTower) -> None:
    """Fold what can be folded (LoRA) into the tower: same outputs, no more cost, plain names."""
    for name, addition in list(tower.tuning.items()):
        if addition.folds:
            addition.fold(tower)
            tower.remove_addition(name)


def tuning_part(name: str) -> str:
    """Return the part, an addition or "image", of an image tower's parameter by its name there."""
    return next((part for part, kind in ADDITIONS.items() if kind.owns(part, name)), "image")
