"""The state that a loss keeps between steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from promptreid.models.reid import ReIDModel


@dataclass(frozen=True)
class StateSetting:
    """What a fresh state may depend on.

    Attributes:
        widths: Size of every image feature, by name.
        classes: Number of identities.
        model: In the modes and on the device it trains in.
        generator: Source of random values, on the CPU.
    """

    widths: Mapping[str, int]
    classes: int
    model: ReIDModel
    generator: torch.Generator


class LossState(nn.Module):
    """What one loss term keeps between steps; saved and restored through its `state_dict`.

    In train mode, which is where it starts, each forward pass of the loss adds to what is kept; in
    eval mode it changes nothing.
    """

    def __init__(self, options: Any, setting: StateSetting) -> None:
        """Start afresh, by the options of the term."""
        super().__init__()

    def after_step(self, model: ReIDModel) -> None:
        """Follow the model, once after each optimizer step."""

    def forget_passes(self) -> None:
        """Drop what passes since the last optimizer step noted for the next, which is not taken."""
