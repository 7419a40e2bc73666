"""How a run uses the hardware it computes on."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from promptreid.config.base import Strict

Precision = Literal["auto", "bf16", "fp16", "fp32"]
"""Number types of matrix products by name; `auto` asks the device."""


class HardwareConfig(Strict):
    """Settings that decide how fast a run computes, and its last bits, but not what it computes."""

    precision: Precision = "auto"
    """Number type of the forward and backward pass; losses, norms and softmax stay in float32.
    `auto` is bf16 where the device multiplies it by itself, else fp16 on CUDA, else fp32. With fp16
    the loss is scaled, so that small gradients are not rounded to zero."""
    compile: bool = False
    """Compile the blocks of the image tower for the sizes that come, which takes a while in the
    first steps. Where there is no compiler, blocks run as they are."""
    checkpointing: bool = False
    """Hold only what enters the blocks of the towers, and compute each block again for its
    gradient: less memory, a third more work."""
    products: Literal["auto", "torch", "onednn"] = "auto"
    """Who multiplies float32 tokens with matrices on a processor: what is fastest on its make,
    torch's own library, or oneDNN."""
    accumulate: PositiveInt = 1
    """Parts in which each batch passes the towers, one after the other, so that memory holds the
    activations of one; loss and gradient are those of the whole batch. A stage's `accumulate` is
    another thing: the mean over several batches."""
    auto_batch: bool = False
    """Where memory does not suffice, double `accumulate` and compute the batch again."""
