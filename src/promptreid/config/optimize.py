"""Batches, optimizer and schedule of a stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from promptreid.config.base import Fraction, Strict
from promptreid.config.model import Part


class BatchConfig(Strict):
    """Either `size` random images, or `identities` times `images` of each."""

    size: PositiveInt | None = None
    identities: Annotated[int, Field(ge=2)] | None = None
    images: Annotated[int, Field(ge=2)] | None = None

    @property
    def count(self) -> int:
        """Number of its images, of one domain and without further copies."""
        return self.size or (self.identities or 0) * (self.images or 0)

    @model_validator(mode="after")
    def _one_kind(self) -> BatchConfig:
        if (self.size is None) == (self.identities is None):
            raise ValueError("give either size, or identities and images")
        if (self.identities is None) != (self.images is None):
            raise ValueError("identities and images belong together; give both or neither")
        return self


class OptimizerConfig(Strict):
    """Optimizer of one stage."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    lr: PositiveFloat = 3.5e-4
    weight_decay: float = Field(default=1e-4, ge=0)
    """L2 penalty for adam and sgd, decoupled for adamw."""
    bias_lr_factor: PositiveFloat = 1.0
    """Multiplies the learning rate of every parameter whose name contains `bias`."""
    part_lr_factors: dict[Part, PositiveFloat] = Field(default_factory=dict)
    """Multiplies the learning rate of whole parts, such as `{head: 10}` for new classifiers."""
    momentum: Fraction = 0.9
    """Momentum of sgd."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Each block of the image tower learns at this factor times the rate of the block after it."""


class ScheduleConfig(Strict):
    """Learning rate, epochs counted from 1 (see `promptreid.training.stage.schedule`)."""

    name: Literal["cosine", "multistep", "onecycle", "constant"] = "constant"
    per: Literal["epoch", "step"] = "epoch"
    """When the rate changes; onecycle is usually stepped at every step."""
    warmup_epochs: int = Field(default=0, ge=0)
    warmup_lr: float | None = Field(default=None, ge=0)
    """Cosine: the rate the linear warm-up starts from."""
    warmup_factor: float | None = Field(default=None, gt=0, le=1)
    """Multistep and constant: the factor the linear warm-up starts from."""
    lr_min: float = Field(default=0.0, ge=0)
    milestones: tuple[PositiveInt, ...] = ()
    gamma: float = Field(default=0.1, gt=0)
    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Onecycle: share of the stage in which the rate rises to `lr`."""
    start_divisor: Annotated[float, Field(ge=1)] = 25.0
    """Onecycle: the rate starts at `lr` over this."""
    end_divisor: Annotated[float, Field(ge=1)] = 1e4
    """Onecycle: the rate ends at its start over this."""
