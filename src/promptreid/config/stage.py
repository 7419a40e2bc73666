"""A stage of a recipe: what learns, from which losses, on which batches, for how long."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from promptreid.config.augment import AugmentConfig
from promptreid.config.base import Strict
from promptreid.config.losses import LossTerms
from promptreid.config.model import Part
from promptreid.config.optimize import BatchConfig, OptimizerConfig, ScheduleConfig


class StageConfig(Strict):
    """What learns, from which losses, on which batches, for how long."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    learns: tuple[Part, ...] = Field(min_length=1)
    images: Literal["augmented", "cached"] = "augmented"
    """`cached`: features of the frozen image tower, taken once with the test transform."""
    losses: LossTerms
    batch: BatchConfig
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    epochs: PositiveInt = 60
    augment: AugmentConfig = AugmentConfig()
    accumulate: PositiveInt = 1
    """Micro-batches per optimizer step; each term is averaged over them."""
    clip_norm: PositiveFloat | None = None
    """Largest gradient norm, applied before the step; None for no clipping."""
    blocks: PositiveInt | None = None
    """Last blocks (ViT) or layers (ResNet) of the image tower that learn, with what comes after
    them; None for the whole tower."""
    text: Literal["step", "epoch"] = "step"
    """How often the text features of all identities are computed anew while prompts or the text
    tower learn; frozen ones are computed once."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of an average of the weights, which is what is validated and saved; None for none."""
    views: Literal[1, 2] = 1
    """Differently augmented copies of each image in a batch."""
    domains: Literal["joint", "mean", "sum"] = "joint"
    """How several data sets learn together: `joint` as one set with one label space; `mean` or
    `sum` over losses computed within each, in batches that hold `batch` of every one."""
    labels: Literal["identity", "instance"] = "identity"
    """`instance`: each image is its own class, as for pictures nobody has labelled."""
    hardest: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Learn from this share of the images only, those the model confuses most when the stage
    begins; None for all."""

    @property
    def moves_embedding(self) -> bool:
        """Whether retrieval vectors change while this stage runs."""
        return bool(set(self.learns) - {"prompt", "text"})

    @model_validator(mode="after")
    def _losses_fit(self) -> StageConfig:
        active = self.losses.active()
        for name, term in active.items():
            if term.compares_views and self.views != 2:
                raise ValueError(f"the {name} loss compares two views of each image; set views: 2")
        spanning = [name for name, term in active.items() if term.spans_identities]
        spanning += ["augment.mix"] if self.augment.mix is not None else []
        if self.domains != "joint" and spanning:
            raise ValueError(
                f"{', '.join(spanning)} spans all identities at once; set domains: joint or leave "
                "it out"
            )
        return self

    @model_validator(mode="after")
    def _instances_have_no_identities(self) -> StageConfig:
        if self.labels != "instance":
            return self
        teaching = [name for name, term in self.losses.active().items() if term.needs_identities]
        if teaching:
            raise ValueError(
                "labels: instance has no identities, so no loss may read prompts, classifiers or "
                f"centers of them; leave out {', '.join(teaching)}, or set labels: identity"
            )
        if self.batch.size is None:
            raise ValueError("labels: instance takes random images; give batch.size")
        return self

    @model_validator(mode="after")
    def _cosine_falls(self) -> StageConfig:
        rate, schedule = self.optimizer.lr, self.schedule
        if schedule.name != "cosine":
            return self
        if schedule.lr_min >= rate:
            raise ValueError(
                f"the cosine schedule goes from optimizer.lr, {rate:g}, down to schedule.lr_min, "
                f"{schedule.lr_min:g}, which is not below it; lower schedule.lr_min, raise "
                "optimizer.lr, or set schedule.name: constant"
            )
        if schedule.warmup_epochs and (schedule.warmup_lr or 0.0) > rate:
            raise ValueError(
                f"the warm-up rises from schedule.warmup_lr, {schedule.warmup_lr:g}, to "
                f"optimizer.lr, {rate:g}, which is below it; lower schedule.warmup_lr"
            )
        return self

    @model_validator(mode="after")
    def _cached_means_frozen(self) -> StageConfig:
        if self.images != "cached":
            return self
        if self.moves_embedding:
            raise ValueError(
                "images: cached needs a frozen image tower; only prompt and text can be in learns"
            )
        reads = [name for name, term in self.losses.active().items() if term.reads]
        if reads:
            raise ValueError(
                f"images: cached has only frozen features, so the losses {', '.join(reads)} teach "
                "nothing; take images: augmented or leave them out"
            )
        if self.views == 2:
            raise ValueError("images: cached has no augmentation, so it has no second view")
        if self.batch.size is None:
            raise ValueError("images: cached takes random images; give batch.size")
        return self
