"""Checkpoints of a recipe: those it starts from, and those that stay."""

from __future__ import annotations

from pydantic import PositiveInt, model_validator

from promptreid.config.base import Strict
from promptreid.config.model import Part


class StartConfig(Strict):
    """Weights of an earlier run to start from; what it lacks starts fresh."""

    checkpoint: str | None = None
    """A run folder or a checkpoint file."""
    parts: tuple[Part, ...] | None = None
    """What to take; None for everything that fits. Prompts and classifiers are taken identity by
    identity, by name."""


class CheckpointConfig(Strict):
    """Checkpoints that stay, beside the best and the last one."""

    every: PositiveInt | None = None
    """Keep a checkpoint after each so many epochs of the run, counted over all its stages:
    `checkpoints/epoch-010.safetensors`. None for none."""
    keep: PositiveInt | None = None
    """How many of them stay, the newest; None for all."""

    @model_validator(mode="after")
    def _kept_of_some(self) -> CheckpointConfig:
        if self.keep is not None and self.every is None:
            raise ValueError(
                "keep says how many of the checkpoints of `every` stay; give every, too"
            )
        return self
