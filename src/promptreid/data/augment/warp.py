"""Resample each image of a batch by its own affine map, equal to the bit on every device.

Positions and weights are integers: a position is rounded to 1/64 of a pixel, and the four pixels
around it are averaged without rounding errors that could depend on the device or on the order of
additions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from promptreid.transfer import send

_POSITION_BITS = 16
_WEIGHT_BITS = 6
# One channel in a packed pixel: 8 bits of value and the bits of two weights fit, three times.
_LANE = 20


def warp(batch: Tensor, matrices: Tensor, *, border: Literal["black", "edge"] = "black") -> Tensor:
    """Fetch every pixel of each image from where the image's matrix points, bilinearly.

    Args:
        batch: Pixels (B, 3, H, W), uint8, on any device.
        matrices: (B, 2, 3) float64 on the CPU. A matrix takes a point of the result, (x, y, 1) with
            the origin in the upper left corner and pixel centres at halves, to the source's x and
            y.
        border: What lies outside the source: black, or the nearest pixel of its edge.

    Returns:
        Pixels (B, 3, H, W), uint8.
    """
    count, _, height, width = batch.shape
    x, y = _positions(matrices, height, width, batch.device)
    low = 0
    if border == "black":  # one black pixel around the image stands for everything outside
        batch, low = pad(batch, (1, 1, 1, 1)), -1
    red, green, blue = batch.to(torch.int64).unbind(1)
    packed = (red | green << _LANE | blue << 2 * _LANE).reshape(count, -1)
    left, right, from_left = _neighbours(x, low, width)
    top, bottom, from_top = _neighbours(y, low, height)

    stride = batch.shape[3]
    first = stride * batch.shape[2] * torch.arange(count, device=batch.device)[:, None, None]
    top, bottom = first + top * stride, first + bottom * stride
    one = 1 << _WEIGHT_BITS
    upper = packed.take(top + left) * (one - from_left) + packed.take(top + right) * from_left
    lower = packed.take(bottom + left) * (one - from_left) + packed.take(bottom + right) * from_left
    total = upper * (one - from_top) + lower * from_top
    half = one * one // 2
    total += half | half << _LANE | half << 2 * _LANE
    channels = [(total >> (lane * _LANE + 2 * _WEIGHT_BITS)) & 255 for lane in range(3)]
    return torch.stack(channels, dim=1).to(torch.uint8)


def identity(count: int) -> Tensor:
    """Return (B, 2, 3) matrices that change nothing."""
    return torch.eye(2, 3, dtype=torch.float64).repeat(count, 1, 1)


def crop(left: Tensor, top: Tensor, wide: Tensor, tall: Tensor) -> Tensor:
    """Return matrices that stretch a part of each image to the whole.

    Args:
        left: First column of the part as it lies in the image, (B,) float64, in pixels.
        top: First row, likewise.
        wide: Width of the part as a share of the image's, (B,).
        tall: Height, likewise.
    """
    matrices = identity(len(left))
    matrices[:, 0, 0], matrices[:, 1, 1] = wide, tall
    matrices[:, 0, 2], matrices[:, 1, 2] = left, top
    return matrices


def shift(right: Tensor, down: Tensor) -> Tensor:
    """Return matrices that move each image by pixels, (B,) float64 each."""
    matrices = identity(len(right))
    matrices[:, 0, 2], matrices[:, 1, 2] = -right, -down
    return matrices


def shear(across: Tensor, along: Tensor) -> Tensor:
    """Return matrices that slant each image; the upper left corner stays.

    Args:
        across: Pixels that a row moves to the right per row from the top, (B,) float64.
        along: Pixels that a column moves down per column from the left, likewise.
    """
    matrices = identity(len(across))
    matrices[:, 0, 1], matrices[:, 1, 0] = -across, -along
    return matrices


def rotation(degrees: Tensor, size: Sequence[int]) -> Tensor:
    """Return matrices that turn each image about its centre, counter-clockwise.

    Args:
        degrees: Angles, (B,) float64.
        size: Height and width of the images.
    """
    angle = degrees * (math.pi / 180)
    cosine, sine = angle.cos(), angle.sin()
    middle_y, middle_x = size[0] / 2, size[1] / 2
    return torch.stack(
        (
            torch.stack((cosine, -sine, middle_x - cosine * middle_x + sine * middle_y), dim=1),
            torch.stack((sine, cosine, middle_y - sine * middle_x - cosine * middle_y), dim=1),
        ),
        dim=1,
    )


def _positions(
    matrices: Tensor, height: int, width: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return source x and y of all pixel centres, (B, H, W) int64 in units of 2^-16 pixels.

    They count from the centre of the first pixel. Matrices are rounded on the CPU; what follows is
    integer arithmetic.
    """
    fixed = send((matrices * (1 << _POSITION_BITS)).round().to(torch.int64), device)
    across = 2 * torch.arange(width, device=device) + 1  # centres, in halves
    down = (2 * torch.arange(height, device=device) + 1)[:, None]
    x, y = (
        ((row[:, 0, None, None] * across + row[:, 1, None, None] * down) >> 1)
        + (row[:, 2, None, None] - (1 << (_POSITION_BITS - 1)))
        for row in fixed.unbind(1)
    )
    return x, y


def _neighbours(position: Tensor, low: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixels before and after each position and the weight of the one after.

    Pixels outside `low` ... `size - 1 - low` become the nearest inside and count from `low`; the
    weight lies in 0...64.
    """
    coarse = _POSITION_BITS - _WEIGHT_BITS
    rounded = (position + (1 << (coarse - 1))) >> coarse
    before = rounded >> _WEIGHT_BITS
    high = size - 1 - low
    weight = rounded & ((1 << _WEIGHT_BITS) - 1)
    return before.clamp(low, high) - low, (before + 1).clamp(low, high) - low, weight
