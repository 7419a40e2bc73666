"""Take back what the forward passes of a step left behind, when the step is not taken."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from promptreid.losses.loss_state import LossState


class StepUndo:
    """The buffers of what trains, as they were before a step.

    Forward passes move the statistics of batch norms and what loss terms remember. A step that
    overflowed in fp16 may have put infinities there, and one that ran out of memory is computed a
    second time; either is to leave nothing behind.
    """

    def __init__(self, model: nn.Module, states: nn.ModuleDict) -> None:
        """Copy the buffers of modules in train mode.

        Args:
            model: The model in training.
            states: What loss terms remember, by term name.
        """
        self._states = [cast(LossState, state) for state in states.children()]
        self._before = [
            (module, name, buffer.clone())
            for part in (model, *self._states)
            for module in part.modules()
            if module.training
            for name, buffer in module.named_buffers(recurse=False)
        ]

    @torch.no_grad()
    def undo(self) -> None:
        """Put everything back as it was."""
        for module, name, before in self._before:
            buffer = getattr(module, name)
            assert isinstance(buffer, Tensor)
            buffer.copy_(before)
        for state in self._states:
            state.forget_passes()
