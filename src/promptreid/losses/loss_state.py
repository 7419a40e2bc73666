"""What a loss remembers between steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from promptreid.models.reid import ReIDModel


class LossState(nn.Module):
    """What one loss term remembers between steps; saved and restored through its `state_dict`.

    In train mode, which is where it starts, each forward pass of the loss adds to what is
    remembered; in eval mode it changes nothing.
    """

    def after_step(self, model: ReIDModel) -> None:
        """Follow the model, once after each optimizer step."""
