"""How strong the operations of the published policies are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from torch import Tensor


@dataclass(frozen=True)
class Range:
    """How strong an operation is at a level in 0...1: `base ± span * level`.

    Attributes:
        base: Strength that leaves an image as it is.
        span: Distance from it at level 1; in shares of `side` where that is given.
        signed: Whether the sign is random.
        whole: How the distance becomes a whole number: not at all, to the nearest or cut off.
        side: The side of the image that `span` is a share of.
    """

    base: float
    span: float
    signed: bool = False
    whole: Literal["", "nearest", "cut"] = ""
    side: Literal["", "height", "width"] = ""

    def at(self, level: Tensor, sign: Tensor, size: Sequence[int]) -> Tensor:
        """Return strengths.

        Args:
            level: Between 0 and 1, any shape, float64.
            sign: -1 or 1, read where the sign is random.
            size: Height and width of the images.
        """
        unit = {"": 1, "height": size[0], "width": size[1]}[self.side]
        distance = self.span * unit * level
        if self.whole:
            distance = distance.round() if self.whole == "nearest" else distance.trunc()
        return self.base + (distance * sign if self.signed else distance)


Space = Mapping[str, Range]


def _space(*, slope: float, across: Range, along: Range, degrees: float, enhance: float) -> Space:
    """Return the 14 operations of RandAugment and its followers."""
    factor = Range(1, enhance, signed=True)
    return MappingProxyType(
        {
            "identity": Range(0, 0),
            "shear_x": Range(0, slope, signed=True),
            "shear_y": Range(0, slope, signed=True),
            "translate_x": across,
            "translate_y": along,
            "rotate": Range(0, degrees, signed=True),
            "brightness": factor,
            "saturation": factor,
            "contrast": factor,
            "sharpness": factor,
            "posterize": Range(8, -4, whole="nearest"),
            "solarize": Range(256, -256),
            "autocontrast": Range(0, 0),
            "equalize": Range(0, 0),
        }
    )


RANDAUGMENT = _space(
    slope=0.3,
    across=Range(0, 150 / 331, signed=True, whole="cut", side="width"),
    along=Range(0, 150 / 331, signed=True, whole="cut", side="height"),
    degrees=30,
    enhance=0.9,
)
TRIVIALAUGMENT: Space = MappingProxyType(
    {
        **_space(
            slope=0.99,
            across=Range(0, 32, signed=True, whole="cut"),
            along=Range(0, 32, signed=True, whole="cut"),
            degrees=135,
            enhance=0.99,
        ),
        "posterize": Range(8, -6, whole="nearest"),
    }
)
AUGMIX: Space = MappingProxyType(
    {
        "autocontrast": Range(0, 0),
        "equalize": Range(0, 0),
        "posterize": Range(4, -4, whole="cut"),
        "rotate": Range(0, 30, signed=True, whole="cut"),
        "solarize": Range(256, -256, whole="cut"),
        "shear_x": Range(0, 0.3, signed=True),
        "shear_y": Range(0, 0.3, signed=True),
        "translate_x": Range(0, 1 / 3, signed=True, whole="cut", side="width"),
        "translate_y": Range(0, 1 / 3, signed=True, whole="cut", side="height"),
    }
)
