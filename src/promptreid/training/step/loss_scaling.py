"""Optimizer steps by a loss that is scaled where fp16 would round small gradients to zero."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from promptreid.inference.run_context import RunContext


class LossScaling:
    """Backward passes and optimizer steps in one number type.

    In fp16 gradients below 6e-8 are zero and those above 65,504 infinite. So the loss is multiplied
    with a scale before the backward pass, and gradients are divided by it before they are clipped
    and used (Micikevicius et al., ICLR 2018). A step whose gradients are not all finite is left
    out, and halves the scale; 2,000 steps in a row without one double it. In fp32 and bf16, whose
    range needs none of this, every step is taken and nothing is scaled.

    Attributes:
        enabled: Whether losses are scaled, which is so in fp16 alone.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, context: RunContext) -> None:
        """Begin with a scale of 65,536.

        Args:
            optimizer: The one that takes the steps.
            context: Its precision says whether losses are scaled.

        Raises:
            ValueError: Losses are scaled, and the optimizer steps in one pass, which `step` could
                not tell from a step that was left out.
        """
        self.enabled = context.scales_losses
        if self.enabled and any(group.get("fused") for group in optimizer.param_groups):
            raise ValueError("a fused optimizer hides left-out steps; build it with scaled=True")
        self._optimizer = optimizer
        self._scaler = torch.amp.GradScaler(context.device.type, enabled=self.enabled)
        self._taken = True
        optimizer.register_step_post_hook(self._note_step)

    def backward(self, loss: Tensor) -> None:
        """Add the scaled gradient of a loss to what its parameters hold."""
        self._scaler.scale(loss).backward()

    def step(self, parameters: Iterable[nn.Parameter], *, clip_norm: float | None = None) -> bool:
        """Take the optimizer's step, unless a gradient is not finite.

        In fp16 this waits for the device, once: whether gradients are finite is known there only.

        Args:
            parameters: Those whose gradient is clipped.
            clip_norm: Largest norm of the gradient, without the scale; None for no clipping.

        Returns:
            Whether the step was taken.
        """
        if clip_norm is not None:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(parameters, clip_norm)
        self._taken = False
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return self._taken

    def state(self) -> dict[str, float]:
        """Return the scale and the steps since it last changed, for a checkpoint; {} without."""
        return self._scaler.state_dict()

    def restore(self, state: dict[str, float]) -> None:
        """Go on from what `state` gave."""
        if self.enabled and state:
            self._scaler.load_state_dict(state)

    def _note_step(self, *_: object) -> None:
        self._taken = True
