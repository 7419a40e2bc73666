"""What is done to pixels before the model sees them. It travels with the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptreid.errors import ConfigError
from promptreid.json_record import JsonRecord

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

INTERPOLATIONS = ("bicubic", "bilinear")


@dataclass(frozen=True)
class Preprocess(JsonRecord):
    """Image size and normalisation that a set of weights expects.

    Published CLIP-ReID resizes training images bicubically and test images bilinearly; both are
    kept here so that the mismatch is part of the record and not an accident.

    Attributes:
        image_size: Height and width in pixels.
        mean: Per-channel mean of pixels scaled to [0, 1].
        std: Per-channel standard deviation, each above zero.
        train_interpolation: Resize filter of training images.
        test_interpolation: Resize filter of validation, query and gallery images.
    """

    image_size: tuple[int, int]
    mean: tuple[float, float, float] = HALF
    std: tuple[float, float, float] = HALF
    train_interpolation: str = "bicubic"
    test_interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if len(self.image_size) != 2 or min(self.image_size) < 1:
            raise ConfigError(
                f"image_size is {self.image_size}; it must be two positive integers, "
                "(height, width)."
            )
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ConfigError(
                f"mean {self.mean} and std {self.std} must hold three numbers each, std above zero."
            )
        for filter_name in (self.train_interpolation, self.test_interpolation):
            if filter_name not in INTERPOLATIONS:
                raise ConfigError(
                    f"Interpolation {filter_name!r} is not one of {', '.join(INTERPOLATIONS)}."
                )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocess:
        """Build from `to_dict` output.

        Raises:
            ConfigError: A value is missing or out of range.
        """
        read: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        try:
            return cls(**read)
        except TypeError as error:
            raise ConfigError(f"The stored preprocessing is not readable: {error}.") from error
