"""Types that the parts of a recipe share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
)

from promptreid.config.reading.numbers import read_number
from promptreid.config.reading.typed_values import as_typed


class Strict(BaseModel):
    """Frozen model that refuses unknown keys and reads values in any usual spelling."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _read_as_typed(cls, value: Any, info: ValidationInfo) -> Any:
        """Take `5e-4` as a number where the key takes one, and a known word in any spelling."""
        known = cls.model_fields.get(info.field_name or "")
        return value if known is None else as_typed(value, known.annotation)


def _pair(value: object) -> object:
    """Read one integer as a square."""
    number = read_number(value)
    return value if number is None else (number, number)


def one_or_several(value: object) -> object:
    """Read one text as a list of one."""
    return (value,) if isinstance(value, str) else value


ImageSize = Annotated[tuple[PositiveInt, PositiveInt], BeforeValidator(_pair)]
Triple = tuple[float, float, float]
Fraction = Annotated[float, Field(ge=0, le=1)]
Interval = tuple[float, float]
Texts = Annotated[tuple[str, ...], BeforeValidator(one_or_several)]
Templates = Annotated[Texts, Field(min_length=1)]

CLASSIFIERS = ("linear", "arcface", "cosface", "circle")
TOWER_FEATURES = ("penultimate", "final", "projected")
