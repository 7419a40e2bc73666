"""Changes of colour, tone and sharpness, each image of a batch by its own strength.

All functions take pixels (B, 3, H, W), uint8, on any device, and strengths (B,) on the CPU, and
return new pixels. Results are rounded to the nearest level, where Pillow and torchvision cut off
and so darken by half a level on average. Sums are of whole numbers that float32 holds exactly, and
every product is rounded on its own, so that all devices agree to the bit.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from promptreid.transfer import send

_LUMA = (19595, 38470, 7471)  # ITU-R 601-2 in 1/65536, as in Pillow
_BLUR_RADIUS = 6
_BLUR_BITS = 16  # a level times the weights' sum stays below 2^24


def gray(batch: Tensor) -> Tensor:
    """Return the brightness of each pixel, (B, 1, H, W) uint8."""
    red, green, blue = batch.to(torch.int32).split(1, dim=1)
    total = red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2] + (1 << 15)
    return (total >> 16).to(torch.uint8)


def brightness(batch: Tensor, factor: Tensor) -> Tensor:
    """Scale all levels; 0 gives black, 1 the image."""
    return _to_levels(batch.float() * _column(factor, batch))


def contrast(batch: Tensor, factor: Tensor) -> Tensor:
    """Scale the distance to the image's mean brightness; 0 gives plain gray, 1 the image."""
    light = gray(batch)
    total = light.sum(dim=(1, 2, 3), keepdim=True, dtype=torch.int64)
    pixels = light[0].numel()
    mean = (2 * total + pixels) // (2 * pixels)
    return _blend(batch, mean, factor)


def saturation(batch: Tensor, factor: Tensor) -> Tensor:
    """Scale the distance to the gray image; 0 gives gray, 1 the image."""
    return _blend(batch, gray(batch), factor)


def sharpness(batch: Tensor, factor: Tensor) -> Tensor:
    """Scale the distance to a smoothed image; 0 smooths, 1 gives the image.

    The smoothing weighs a pixel 5 and its eight neighbours 1 each. Pixels of the edge stay.
    """
    height, width = batch.shape[2:]
    if min(height, width) < 3:
        return batch.clone()
    levels = batch.float()
    total = 4 * levels[:, :, 1:-1, 1:-1]
    for row in range(3):
        for column in range(3):
            total = total + levels[:, :, row : row + height - 2, column : column + width - 2]
    smooth = batch.clone()
    smooth[:, :, 1:-1, 1:-1] = _to_levels(total / 13)
    return _blend(batch, smooth, factor)


def hue(batch: Tensor, turn: Tensor) -> Tensor:
    """Turn each colour around the circle of hues; 0 and 1 give the image, 0.5 the opposite."""
    red, green, blue = batch.float().unbind(1)
    value, chroma = batch.amax(1).float(), (batch.amax(1) - batch.amin(1)).float()
    divisor = chroma.clamp(min=1)
    sector = torch.where(
        value == red,
        ((green - blue) / divisor) % 6,
        torch.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    sector = (sector + 6 * _column(turn, batch)[:, 0]) % 6
    channels = []
    for start in (5, 3, 1):
        place = (sector + start) % 6
        channels.append(value - chroma * torch.minimum(place, 4 - place).clamp(0, 1))
    return _to_levels(torch.stack(channels, dim=1))


def posterize(batch: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest `bits` bits of each level, 0 to 8 of them."""
    mask = (255 << (8 - bits.to(torch.int64))) & 255
    return batch & send(mask.to(torch.uint8), batch.device)[:, None, None, None]


def solarize(batch: Tensor, threshold: Tensor) -> Tensor:
    """Invert levels from `threshold` on; 256 leaves the image as it is."""
    return torch.where(batch >= _column(threshold, batch), 255 - batch, batch)


def blur(batch: Tensor, sigma: Tensor) -> Tensor:
    """Smooth by a Gaussian that reaches 6 pixels far; the image continues mirrored at its edges.

    Args:
        batch: Pixels (B, 3, H, W), uint8.
        sigma: Width of the Gaussian in pixels, (B,), above 0.
    """
    weights = send(_gaussian(sigma.to(torch.float64)), batch.device)
    return _smooth(_smooth(batch, weights, dim=3), weights, dim=2)


def _gaussian(sigma: Tensor) -> Tensor:
    """Return weights (B, 13) that are whole numbers of sum 2^16, as float32."""
    offsets = torch.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (offsets / sigma[:, None]).square())
    weights = (weights / weights.sum(1, keepdim=True) * (1 << _BLUR_BITS)).round()
    weights[:, _BLUR_RADIUS] += (1 << _BLUR_BITS) - weights.sum(1)
    return weights.float()


def _smooth(batch: Tensor, weights: Tensor, *, dim: int) -> Tensor:
    """Average along rows (`dim` 3) or columns (`dim` 2) by weights (B, 13)."""
    size = batch.shape[dim]
    reach = min(_BLUR_RADIUS, size - 1)
    border = (reach, reach, 0, 0) if dim == 3 else (0, 0, reach, reach)
    levels = pad(batch.float(), border, mode="reflect")
    if reach < _BLUR_RADIUS:  # an image smaller than the Gaussian: its ends fall on the last pixel
        inner = weights[:, _BLUR_RADIUS - reach : _BLUR_RADIUS + reach + 1].clone()
        inner[:, reach] += (1 << _BLUR_BITS) - inner.sum(1)
        weights = inner
    total = torch.full(batch.shape, float(1 << (_BLUR_BITS - 1)), device=batch.device)
    for tap in range(weights.shape[1]):
        total.addcmul_(levels.narrow(dim, tap, size), weights[:, tap, None, None, None])
    return (total * math.ldexp(1.0, -_BLUR_BITS)).to(torch.uint8)


def _blend(batch: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """Return factor times the image plus 1 - factor times the other, as levels."""
    share = _column(factor, batch)
    # Two products and a sum, never fused: a fused one would be rounded once less on some devices.
    weighted, strange = batch * share, other * (1 - share)
    return _to_levels(weighted + strange)


def _to_levels(values: Tensor) -> Tensor:
    return (values + 0.5).clamp_(0, 255).to(torch.uint8)


def _column(strength: Tensor, batch: Tensor) -> Tensor:
    """Return (B, 1, 1, 1) float32 on the batch's device."""
    return send(strength.to(torch.float32), batch.device)[:, None, None, None]
