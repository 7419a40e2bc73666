"""Optimizers with the parameter groups of the published recipe."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from promptreid.config.optimize import OptimizerConfig

NamedParameters = Iterable[tuple[str, nn.Parameter]]


def parameter_groups(named: NamedParameters, config: OptimizerConfig) -> list[dict[str, object]]:
    """Group parameters by their learning rate.

    Every parameter whose name contains `bias` learns at `bias_lr_factor` times the rate, every
    parameter of a part at that part's factor times it. Weight decay is the same for all, norms and
    embeddings included, as in CLIP-ReID.

    Args:
        named: Names and parameters that learn.
        config: Learning rate, decay and factors.

    Returns:
        Groups with keys `params`, `names`, `lr_factor`, `lr` and `weight_decay`; each parameter
        that requires a gradient is in exactly one.
    """
    members: dict[float, list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in named:
        if parameter.requires_grad:
            members.setdefault(_factor(name, config), []).append((name, parameter))
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


def _factor(name: str, config: OptimizerConfig) -> float:
    factor = config.bias_lr_factor if "bias" in name else 1.0
    # The first word of a name is its part; everything else that learns is the image tower.
    first = name.partition(".")[0]
    part = first if first in ("prompt", "head") else "image"
    return factor * config.part_lr_factors.get(part, 1.0)


def build_optimizer(named: NamedParameters, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Return the optimizer of a stage.

    Adam uses L2 weight decay (added to the gradient), as published; AdamW decouples it. The moments
    are dense, so that the tokens of identities absent from a batch still move.
    """
    groups = parameter_groups(named, config)
    if config.name == "adam":
        return torch.optim.Adam(groups, lr=config.lr)
    if config.name == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr)
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set every group's learning rate to `rate` times the group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_factor"]
