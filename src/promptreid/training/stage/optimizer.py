"""Optimizers with the parameter groups of the published recipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from promptreid.config.optimize import OptimizerConfig
from promptreid.models.part_names import find_part
from promptreid.models.towers.depth import Depths, find_depths
from promptreid.models.towers.image_tower import ImageTower

NamedParameters = Iterable[tuple[str, nn.Parameter]]


_IMAGE = "backbone.image."


def parameter_groups(
    named: NamedParameters, config: OptimizerConfig, *, tower: ImageTower | None = None
) -> list[dict[str, Any]]:
    """Group parameters by their learning rate.

    Every parameter whose name contains `bias` learns at `bias_lr_factor` times the rate, every
    parameter of a part at that part's factor times it (side information counts as the image tower).
    The tower's own parameters learn at `layer_decay ** (last - depth)` times it, with the depths of
    `promptreid.models.towers.depth`: what comes after the last block at the full rate, the last
    block at `layer_decay` times it, and so on down to what comes before the first (Clark et al.,
    ELECTRA, ICLR 2020). Additions to the tower have no pretrained values to keep and
    are not decayed. Weight decay is the same for all, norms and embeddings included, as in
    CLIP-ReID.

    Args:
        named: Full names in the model, and parameters, that learn.
        config: Learning rate, decay and factors.
        tower: The model's image tower, for `layer_decay`.

    Returns:
        Groups with keys `params`, `names`, `lr_factor`, `lr` and `weight_decay`; each parameter
        that requires a gradient is in exactly one.

    Raises:
        ModelError: The tower's blocks are not known and its layers are to be decayed.
    """
    tower_depths = None
    if config.layer_decay < 1:
        if tower is None:
            raise ValueError("layer decay depends on the image tower; give `tower`")
        tower_depths = find_depths(tower)
    members: dict[float, list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in named:
        if parameter.requires_grad:
            members.setdefault(_rate_factor(name, config, tower_depths), []).append(
                (name, parameter)
            )
    return [
        {
            "params": [parameter for _, parameter in pairs],
            "names": [name for name, _ in pairs],
            "lr_factor": factor,
            "lr": config.lr * factor,
            "weight_decay": config.weight_decay,
        }
        for factor, pairs in members.items()
    ]


def _rate_factor(name: str, config: OptimizerConfig, tower_depths: Depths | None) -> float:
    factor = config.bias_lr_factor if "bias" in name else 1.0
    part = find_part(name)
    if part in ("sie", "logit_scale"):
        part = "image"
    inner = name.removeprefix(_IMAGE)
    if tower_depths is not None and part == "image" and inner in tower_depths.of:
        factor *= config.layer_decay ** (tower_depths.last - tower_depths.of[inner])
    return factor * config.part_lr_factors.get(part, 1.0)


def build_optimizer(
    named: NamedParameters,
    config: OptimizerConfig,
    *,
    tower: ImageTower | None = None,
    scaled: bool = False,
) -> torch.optim.Optimizer:
    """Return the optimizer of a stage.

    Adam uses L2 weight decay (added to the gradient), as published; AdamW decouples it. The moments
    are dense, so that the tokens of identities absent from a batch still move. On processors both
    pass once over a weight, its gradient and its moments, where torch's default passes ten times;
    a number comes out the same however many threads share the weights out.

    Args:
        named: As for `parameter_groups`, like `config` and `tower`.
        config: Kind of optimizer, rates, decay and momentum.
        tower: The model's image tower, for `layer_decay`.
        scaled: Whether the loss is scaled, as `LossScaling` does in fp16. Steps in one pass know of
            scales, and cannot be told apart from steps that were left out.

    Raises:
        ModelError: The tower's blocks are not known and its layers are to be decayed.
    """
    groups = parameter_groups(named, config, tower=tower)
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
    adam = torch.optim.Adam if config.name == "adam" else torch.optim.AdamW
    # None leaves the choice to torch, which takes all weights of a card together.
    fused = True if not scaled and _passes_once(groups) else None
    return adam(groups, lr=config.lr, fused=fused)


def _passes_once(groups: Sequence[dict[str, Any]]) -> bool:
    """Tell whether Adam can step in one pass: over float32 weights of the processor, row by row."""
    weights = [weight for group in groups for weight in group["params"]]
    return all(
        weight.device.type == "cpu" and weight.dtype == torch.float32 and weight.is_contiguous()
        for weight in weights
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set every group's learning rate to `rate` times the group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_factor"]
