"""What a model is exported to and for, and what that says of pixels, cameras and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from promptreid.errors import ConfigError, unknown_name

ONNX, PT2, CLIP_REID, HUB_FOLDER = "onnx", "pt2", "clip-reid", "hub-folder"
FORMATS = (ONNX, PT2, CLIP_REID, HUB_FOLDER)
SUFFIXES: Mapping[str, str] = MappingProxyType(
    {".onnx": ONNX, ".pt2": PT2, ".pth": CLIP_REID, ".pt": CLIP_REID}
)
"""Format of a file by how its name ends."""

CONSUMERS: Mapping[str, str] = MappingProxyType(
    {
        "generic": "pixels",
        "boxmot": "imagenet",
        "ultralytics": "unit",
        "roboflow": "normalized",
    }
)
"""Programs that read exported models, and the pixels that each gives a model."""

PIXELS = ("pixels", "unit", "imagenet", "normalized")
"""RGB as 0...255; as 0...1; as 0...1, less ImageNet's mean and by its deviation; ready for the
model."""

MEAN, INPUT = "mean", "input"
"""The unknown camera or view, which is the mean of all; and one that is given with each image."""


@dataclass(frozen=True)
class ExportOptions:
    """How a model is exported.

    Attributes:
        consumer: Program that is to read the file, one of `CONSUMERS`.
        pixels: What images hold, one of `PIXELS`; None for what the consumer gives.
        camera: "mean" for an unknown camera, "input" for a second input, or a camera's name.
        view: Likewise for the view.
        neck: "before" or "after" the batch-norm neck; None for the model's own choice.
        prompt: Kind of sentence of a model with a sentence per image; None for the model's choice.
        half: Whether weights and products are of 16 bits; what goes in and out is float32.
        opset: Version of ONNX's operators.
        check: Number of images to compare with the model; 0 writes without a check.

    Raises:
        ConfigError: A name is unknown or a number is out of range.
    """

    consumer: str = "generic"
    pixels: str | None = None
    camera: str = MEAN
    view: str = MEAN
    neck: str | None = None
    prompt: str | None = None
    half: bool = False
    opset: int = 18
    check: int = 8

    def __post_init__(self) -> None:
        if self.consumer not in CONSUMERS:
            raise ConfigError(unknown_name("program to export for", self.consumer, CONSUMERS))
        if self.pixels is not None and self.pixels not in PIXELS:
            raise ConfigError(unknown_name("kind of input", self.pixels, PIXELS))
        if self.neck not in (None, "before", "after"):
            raise ConfigError(unknown_name("side of the neck", self.neck, ("before", "after")))
        if self.opset < 18:
            raise ConfigError(f"The opset is {self.opset}; operators are written from opset 18 on.")
        if self.check < 0:
            raise ConfigError(f"check is {self.check}; give a number of images, or 0 for no check.")

    @property
    def given_pixels(self) -> str:
        """What images hold: what was asked for, else what the consumer gives."""
        return self.pixels or CONSUMERS[self.consumer]


def read_options(values: Mapping[str, Any]) -> ExportOptions:
    """Read options that are given by name.

    Raises:
        ConfigError: A name is unknown, with the closest one, or a value is not possible.
    """
    known = [field.name for field in fields(ExportOptions)]
    for name in values:
        if name not in known:
            raise ConfigError(unknown_name("option of an export", name, known))
    return ExportOptions(**values)


def choose_format(path: Path, to: str | None) -> str:
    """Return the format to write: what was asked for, else what the name of the file ends in.

    Raises:
        ConfigError: Neither says it, or they contradict each other.
    """
    by_name = SUFFIXES.get(path.suffix.lower())
    if to is None:
        if by_name is None:
            known = ", ".join(f"{suffix} ({kind})" for suffix, kind in SUFFIXES.items())
            raise ConfigError(
                f"The name of {path} does not say what to write. Let it end in {known}, or name "
                f"the format: {', '.join(FORMATS)} (--to)."
            )
        return by_name
    if to not in FORMATS:
        raise ConfigError(unknown_name("export format", to, FORMATS))
    endings = [suffix for suffix, kind in SUFFIXES.items() if kind == to]
    if endings and by_name != to:
        raise ConfigError(
            f"{path} is to be written as {to}; let its name end in {' or '.join(endings)}."
        )
    if by_name is not None and by_name != to:
        raise ConfigError(
            f"{path} is named as a file of {by_name}, but a {to} is asked for. Choose another name."
        )
    return to
