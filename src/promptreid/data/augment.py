"""The random changes of a training batch: flip, pad and crop, normalise, erase.

All parameters are drawn on the CPU, image by image, so that a batch is changed in the same way
wherever it lies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from promptreid.data import transforms
from promptreid.data.preprocess import Preprocess
from promptreid.errors import ConfigError


@dataclass(frozen=True)
class Augment:
    """How training images are changed; the defaults are those of published CLIP-ReID.

    Attributes:
        flip: Probability of mirroring left to right.
        pad: Black border in pixels that is added before a random crop of the old size; 0: no crop.
        erase: Probability of replacing one box by noise.
        erase_area: Smallest and largest area of the box, as a share of the image.
        erase_aspect: Smallest and largest height over width of the box, log-uniform between.
        erase_tries: Draws of a box before an image is left alone; a box counts when it is lower
            and narrower than the image.
    """

    flip: float = 0.5
    pad: int = 10
    erase: float = 0.5
    erase_area: tuple[float, float] = (0.02, 1 / 3)
    erase_aspect: tuple[float, float] = (0.3, 1 / 0.3)
    erase_tries: int = 10

    def __post_init__(self) -> None:
        for name in ("flip", "erase"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(
                    f"Augmentation {name!r} is {getattr(self, name)}; "
                    "it is a probability and must lie between 0 and 1."
                )
        if self.pad < 0 or self.erase_tries < 1:
            raise ConfigError(
                f"Augmentation 'pad' is {self.pad} and 'erase_tries' is {self.erase_tries}; "
                "they must be at least 0 and at least 1."
            )
        low, high = self.erase_area
        if not 0 < low <= high <= 1:
            raise ConfigError(
                f"Augmentation 'erase_area' is {self.erase_area}; it must be two shares of the "
                "image above 0 and up to 1, the smaller first."
            )
        low, high = self.erase_aspect
        if not 0 < low <= high:
            raise ConfigError(
                f"Augmentation 'erase_aspect' is {self.erase_aspect}; it must be two ratios above "
                "0, the smaller first."
            )


@dataclass(frozen=True)
class Draw:
    """One batch's random parameters, on the CPU.

    Attributes:
        flip: Which images are mirrored, (B,) bool.
        top: First row of each crop in the padded image, (B,) int64.
        left: First column, likewise.
        boxes: Top, left, height, width of what is erased, (B, 4) int64; all zero for nothing.
    """

    flip: Tensor
    top: Tensor
    left: Tensor
    boxes: Tensor


def draw(count: int, size: tuple[int, int], augment: Augment, generator: Generator) -> Draw:
    """Draw the parameters of a batch, independently for each image.

    The same amount of randomness is used whatever the settings, so that switching one operation
    off does not change what the others do.

    Args:
        count: B, images in the batch.
        size: Height and width of the images.
        augment: The settings.
        generator: A CPU generator; it moves on.
    """
    flips, tops, lefts = torch.rand(3, count, generator=generator, dtype=torch.float64)
    offsets = 2 * augment.pad + 1
    return Draw(
        flip=flips < augment.flip,
        top=(tops * offsets).long(),
        left=(lefts * offsets).long(),
        boxes=_draw_boxes(count, size, augment, generator),
    )


def apply(batch: Tensor, preprocess: Preprocess, augment: Augment, generator: Generator) -> Tensor:
    """Change a batch at random and normalise it.

    Operations on pixels come before `normalize`, those on normalised values after it. That the
    border is black before normalising and that the noise is standard normal after it is how the
    published recipe was trained.

    Args:
        batch: Resized pixels (B, 3, H, W), uint8, on any device.
        preprocess: Gives mean and std.
        augment: The settings.
        generator: A CPU generator; the same state gives the same result on every device.

    Returns:
        Images (B, 3, H, W), float32, on the device of `batch`.
    """
    count, channels, height, width = batch.shape
    device = batch.device
    drawn = draw(count, (height, width), augment, generator)

    batch = transforms.flip(batch, drawn.flip.to(device))
    if augment.pad:
        top, left = drawn.top.to(device), drawn.left.to(device)
        batch = transforms.pad_crop(batch, top, left, pad=augment.pad)

    images = transforms.normalize(batch, preprocess)

    values = transforms.noise_size(drawn.boxes, channels)
    if values:
        noise = torch.randn(values, generator=generator)
        images = transforms.erase(images, drawn.boxes.to(device), noise.to(device))
    return images


def _draw_boxes(
    count: int, size: tuple[int, int], augment: Augment, generator: Generator
) -> Tensor:
    """Draw (B, 4) boxes: each image takes the first of its tries that fits."""
    height, width = size
    erased, row, column = torch.rand(3, count, generator=generator, dtype=torch.float64)
    area, aspect = torch.rand(
        2, count, augment.erase_tries, generator=generator, dtype=torch.float64
    )
    area = _between(area, *augment.erase_area) * (height * width)
    aspect = _between(aspect, *map(math.log, augment.erase_aspect)).exp()
    tall = (area * aspect).sqrt().round().long()
    wide = (area / aspect).sqrt().round().long()

    fits = (tall < height) & (wide < width)
    first = fits.int().argmax(dim=1, keepdim=True)
    tall, wide = tall.gather(1, first)[:, 0], wide.gather(1, first)[:, 0]
    top = (row * (height - tall + 1)).long()
    left = (column * (width - wide + 1)).long()

    used = (erased < augment.erase) & fits.any(dim=1)
    return torch.stack((top, left, tall, wide), dim=1) * used[:, None]


def _between(uniform: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * uniform
