"""Types that the parts of a recipe share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
)


class Strict(BaseModel):
    """Frozen model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _pair(value: object) -> object:
    """Read one integer as a square."""
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


def _one_or_several(value: object) -> object:
    """Read one sentence as a list of one."""
    return (value,) if isinstance(value, str) else value


ImageSize = Annotated[tuple[PositiveInt, PositiveInt], BeforeValidator(_pair)]


Triple = tuple[float, float, float]


Fraction = Annotated[float, Field(ge=0, le=1)]


Part = Literal["prompt", "image", "visual_prompt", "lora", "adapter", "text", "interaction", "head"]


Interval = tuple[float, float]


CLASSIFIERS = ("linear", "arcface", "cosface", "circle")


TOWER_FEATURES = ("penultimate", "final", "projected")


Templates = Annotated[tuple[str, ...], BeforeValidator(_one_or_several), Field(min_length=1)]
