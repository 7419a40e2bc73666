"""The named operations of augmentation policies, each image with its own operation and strength."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as vision

from promptreid.data.augment import photometric
from promptreid.data.augment.warp import rotation, shear, shift, warp
from promptreid.transfer import send

Operation = Callable[[Tensor, Tensor], Tensor]
"""Takes pixels (B, 3, H, W), uint8, and strengths (B,) float64 on the CPU; returns pixels."""


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "identity": lambda batch, _: batch,
        "shear_x": lambda batch, slope: warp(batch, shear(slope, torch.zeros_like(slope))),
        "shear_y": lambda batch, slope: warp(batch, shear(torch.zeros_like(slope), slope)),
        "translate_x": lambda batch, right: warp(batch, shift(right, torch.zeros_like(right))),
        "translate_y": lambda batch, down: warp(batch, shift(torch.zeros_like(down), down)),
        "rotate": lambda batch, degrees: warp(batch, rotation(degrees, batch.shape[2:])),
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
        there = send(rows, batch.device)
        result[there] = OPERATIONS[NAMES[number]](batch[there], strength[rows])
    return result
