"""The named operations of augmentation policies, each image with its own operation and strength."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as vision

from promptreid.data.augment import photometric
from promptreid.data.augment.warp import rotation, shear, shift, warp

Operation = Callable[[Tensor, Tensor], Tensor]
"""Takes pixels (B, 3, H, W), uint8, and strengths (B,) float64 on the CPU; returns pixels."""


def _rotate(batch: Tensor, degrees: Tensor) -> Tensor:
    height, width = batch.shape[2:]
    return warp(batch, rotation(degrees, (height, width)))


def _shear_x(batch: Tensor, slope: Tensor) -> Tensor:
    return warp(batch, shear(slope, torch.zeros_like(slope)))


def _shear_y(batch: Tensor, slope: Tensor) -> Tensor:
    return warp(batch, shear(torch.zeros_like(slope), slope))


def _translate_x(batch: Tensor, pixels: Tensor) -> Tensor:
    return warp(batch, shift(pixels, torch.zeros_like(pixels)))


def _translate_y(batch: Tensor, pixels: Tensor) -> Tensor:
    return warp(batch, shift(torch.zeros_like(pixels), pixels))


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "identity": lambda batch, _: batch,
        "shear_x": _shear_x,
        "shear_y": _shear_y,
        "translate_x": _translate_x,
        "translate_y": _translate_y,
        "rotate": _rotate,
        "brightness": photometric.brightness,
        "saturation": photometric.saturation,
        "contrast": photometric.contrast,
        "sharpness": photometric.sharpness,
        "hue": photometric.hue,
        "posterize": photometric.posterize,
        "solarize": photometric.solarize,
        "autocontrast": lambda batch, _: vision.autocontrast(batch),
        "equalize": lambda batch, _: vision.equalize(batch),
    }
)
"""Strengths are degrees, slopes (pixels per pixel), pixels, factors (1 leaves the image), turns of
the hue circle, bits and levels; the first and the last two read none. What comes from outside the
image is black."""

NAMES = tuple(OPERATIONS)
IDENTITY = NAMES.index("identity")


def perform(batch: Tensor, which: Tensor, strength: Tensor) -> Tensor:
    """Change each image by one operation.

    Images that share an operation are changed together, so that the number of calls does not grow
    with the batch.

    Args:
        batch: Pixels (B, 3, H, W), uint8, on any device.
        which: Place of each image's operation in `NAMES`, (B,) int64 on the CPU.
        strength: (B,) float64 on the CPU.

    Returns:
        Pixels (B, 3, H, W), uint8; `batch` itself where nothing is to be done.
    """
    result = batch
    for number in which.unique().tolist():
        if number == IDENTITY:
            continue
        rows = (which == number).nonzero()[:, 0]
        if result is batch:
            result = batch.clone()
        there = rows.to(batch.device)
        result[there] = OPERATIONS[NAMES[number]](batch[there], strength[rows])
    return result
