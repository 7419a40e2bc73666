"""Optimizers with the parameter groups of the published recipe."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from promptreid.config.schema import OptimizerConfig

NamedParameters = Iterable[tuple[str, nn.Parameter]]


def parameter_groups(named: NamedParameters, config: OptimizerConfig) -> list[dict[str, object]]:
    """Split parameters into a plain group and a bias group.

    Every parameter whose name contains `bias` learns at `bias_lr_factor` times the rate. Weight
    decay is the same for all, norms and embeddings included, as in CLIP-ReID.

    Args:
        named: Names and parameters that learn.
        config: Learning rate, decay and bias factor.

    Returns:
        Up to two groups with keys `params`, `names`, `lr_factor` and `weight_decay`.
    """
    groups: list[dict[str, object]] = []
    pairs = [(name, parameter) for name, parameter in named if parameter.requires_grad]
    for is_bias, factor in ((False, 1.0), (True, config.bias_lr_factor)):
        chosen = [(name, parameter) for name, parameter in pairs if ("bias" in name) is is_bias]
        if chosen:
            groups.append(
                {
                    "params": [parameter for _, parameter in chosen],
                    "names": [name for name, _ in chosen],
                    "lr_factor": factor,
                    "lr": config.lr * factor,
                    "weight_decay": config.weight_decay,
                }
            )
    return groups


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
