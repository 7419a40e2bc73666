"""Training augmentation of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from promptreid.config.base import Fraction, Interval, Strict


class ColorJitterConfig(Strict):
    """Random brightness, contrast, saturation and hue."""

    probability: Fraction = 0.8
    brightness: Annotated[float, Field(ge=0)] = 0.1
    contrast: Annotated[float, Field(ge=0)] = 0.1
    saturation: Annotated[float, Field(ge=0)] = 0.1
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0


class PolicyConfig(Strict):
    """A published list of operations with random strengths."""

    name: Literal["augmix", "randaugment", "trivialaugment"]
    probability: Fraction = 1.0
    operations: PositiveInt = 2
    """Operations that randaugment applies one after the other."""
    magnitude: Annotated[int, Field(ge=0, le=30)] = 9
    """Strength of the operations of randaugment, 0 to 30."""
    severity: Annotated[int, Field(ge=1, le=10)] = 3
    """Strength of the operations of augmix, 1 to 10."""


class MixConfig(Strict):
    """Mixup and CutMix of some images of a batch.

    Mixed images teach classifiers only, with both labels; metric and text losses never see them.
    """

    share: Fraction = 0.5
    """Share of the images of a batch that are mixed."""
    mixup: Annotated[float, Field(ge=0)] = 0.8
    """Beta parameter of the mixing weight (Zhang et al., ICLR 2018); 0 for no mixup."""
    cutmix: Annotated[float, Field(ge=0)] = 0.0
    """Beta parameter of the box's area (Yun et al., ICCV 2019); 0 for no CutMix. With both, each
    batch takes one of them at random."""

    @model_validator(mode="after")
    def _one_of_them(self) -> MixConfig:
        if self.mixup == 0 and self.cutmix == 0:
            raise ValueError("give mixup or cutmix a number above 0, or leave mix out")
        return self


class AugmentConfig(Strict):
    """Training augmentation, in order: random crop, flip, pad and crop, policy, color jitter, gray,
    blur, normalise, erase, mix.
    """

    crop: Interval | None = None
    """Smallest and largest share of the image that a random resized crop keeps; None for none."""
    flip: Fraction = 0.5
    """Mirrors left and right; 0 where the side matters, as for hands."""
    pad: int = Field(default=10, ge=0)
    policy: PolicyConfig | None = None
    color_jitter: ColorJitterConfig | None = None
    gray: Fraction = 0.0
    blur: Fraction = 0.0
    erase: Fraction = 0.5
    mix: MixConfig | None = None

    @model_validator(mode="after")
    def _crop_in_order(self) -> AugmentConfig:
        if self.crop is not None and not 0 < self.crop[0] <= self.crop[1] <= 1:
            raise ValueError(
                f"crop is {list(self.crop)}; give two shares above 0 and up to 1, smaller first"
            )
        return self
