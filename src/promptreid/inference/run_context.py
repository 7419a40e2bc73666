"""The context of a run, which travels from a command to the steps of training."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace

import torch

from promptreid.config.hardware import HardwareConfig
from promptreid.models.towers.precision import NUMBER_TYPES
from promptreid.processes.process_group import ALONE, Processes
from promptreid.progress import Progress, Silent


@dataclass(frozen=True)
class RunContext:
    """The device, number type, seed and listener that a run computes with.

    Attributes:
        device: Where models and batches are.
        precision: Number type of the forward and backward pass, "bf16", "fp16" or "fp32".
        seed: What all random choices are drawn from.
        hardware: How memory is used.
        processes: Who works on the run.
        progress: Where to report.
    """

    device: torch.device
    precision: str = "fp32"
    seed: int = 0
    progress: Progress = field(default_factory=Silent)
    hardware: HardwareConfig = field(default_factory=HardwareConfig)
    processes: Processes = ALONE

    @property
    def scales_losses(self) -> bool:
        """Whether losses are scaled, so that small gradients survive: in fp16 alone."""
        return self.precision == "fp16"

    def forward(self) -> contextlib.AbstractContextManager[object]:
        """Run the block in the precision; losses leave it by themselves."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=NUMBER_TYPES[self.precision])

    def seeded(self, seed: int) -> RunContext:
        """Return the same context with another seed."""
        return replace(self, seed=seed)
