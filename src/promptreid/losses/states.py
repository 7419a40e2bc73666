"""Build what the loss terms of a stage remember between steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn

from promptreid.config.losses import LossTerms
from promptreid.losses.centers import CenterState
from promptreid.losses.loss_state import LossState
from promptreid.losses.memory import MemoryState
from promptreid.losses.moco import MoCoState

if TYPE_CHECKING:
    from promptreid.models.reid import ReIDModel

__all__ = ["LossState", "build_states"]


def build_states(
    terms: LossTerms,
    *,
    widths: Mapping[str, int],
    classes: int,
    model: ReIDModel,
    generator: torch.Generator,
) -> nn.ModuleDict:
    """Build the states of the active terms that have one.

    Args:
        terms: Names, weights and options.
        widths: Size of every image feature, by name.
        classes: Number of identities.
        model: In the modes and on the device it trains in; the states go to that device.
        generator: Source of fresh states, on the CPU.

    Returns:
        A `LossState` by term name.
    """
    active = terms.active()
    states: dict[str, nn.Module] = {}
    if terms.center is not None and "center" in active:
        wanted = {name: widths[name] for name in terms.center.features}
        states["center"] = CenterState(wanted, classes, lr=terms.center.lr, generator=generator)
    if terms.memory is not None and "memory" in active:
        (name,) = terms.memory.features
        states["memory"] = MemoryState(
            widths[name], size=terms.memory.size, start_epoch=terms.memory.start_epoch
        )
    if terms.moco is not None and "moco" in active:
        (name,) = terms.moco.features
        states["moco"] = MoCoState(
            model,
            name,
            width=widths[name],
            size=terms.moco.size,
            momentum=terms.moco.momentum,
        )
    device = next(model.parameters()).device
    return nn.ModuleDict(states).to(device)
