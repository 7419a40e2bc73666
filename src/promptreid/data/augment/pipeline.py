"""The random changes of a training batch, in the order in which they are made.

Random crop, flip, pad and crop, policy, colour jitter, gray, blur, normalise, erase; mixing images
is the loader's, since it mixes labels too. All parameters are drawn on the CPU, image by image, so
that a batch is changed in the same way wherever it lies. Flip, pad and crop, and erase draw from
the batch's generator; every other operation draws from one of its own that is derived from the
state in which the generator came, so that switching it on or off changes nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from promptreid.config.augment import AugmentConfig, ColorJitterConfig, MixConfig, PolicyConfig
from promptreid.data.augment import photometric, policies, warp
from promptreid.data.images import transforms
from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import ConfigError
from promptreid.seeds import derive_seed
from promptreid.transfer import send

# Numbers of the derived generators; a new operation takes a new number.
_CROP, _POLICY, _COLOR, _GRAY, _BLUR = range(5)

_CROP_ASPECT = (3 / 4, 4 / 3)
_BLUR_SIGMA = (0.1, 2.0)  # pixels, as in SimCLR and MoCo v2


@dataclass(frozen=True)
class Augment:
    """How training images are changed; the defaults are those of published CLIP-ReID.

    Attributes:
        flip: Probability of mirroring left to right.
        pad: Black border in pixels that is added before a random crop of the old size; 0: no crop.
        erase: Probability of replacing one box by noise.
        crop: Smallest and largest share of the image's area that a random crop keeps, which is
            stretched to the whole; None for none.
        policy: A published policy; None for none.
        color_jitter: Brightness, contrast, saturation and hue; None for none.
        gray: Probability of losing all colour.
        blur: Probability of a Gaussian blur, 0.1 to 2 pixels wide.
        mix: Mixup and CutMix, made by the loader; None for none.
        erase_area: Smallest and largest area of the box, as a share of the image.
        erase_aspect: Smallest and largest height over width of the box, log-uniform between.
        erase_tries: Draws of a box before an image is left alone; a box counts when it is lower
            and narrower than the image.
    """

    flip: float = 0.5
    pad: int = 10
    erase: float = 0.5
    crop: tuple[float, float] | None = None
    policy: PolicyConfig | None = None
    color_jitter: ColorJitterConfig | None = None
    gray: float = 0.0
    blur: float = 0.0
    mix: MixConfig | None = None
    erase_area: tuple[float, float] = (0.02, 1 / 3)
    erase_aspect: tuple[float, float] = (0.3, 1 / 0.3)
    erase_tries: int = 10

    @classmethod
    def of(cls, config: AugmentConfig) -> Augment:
        """Take the settings of a recipe."""
        return cls(**{name: getattr(config, name) for name in AugmentConfig.model_fields})

    def __post_init__(self) -> None:
        for name in ("flip", "erase", "gray", "blur"):
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
        for name in ("erase_area", "crop"):
            area = getattr(self, name)
            if area is not None and not 0 < area[0] <= area[1] <= 1:
                raise ConfigError(
                    f"Augmentation {name!r} is {area}; it must be two shares of the image above 0 "
                    "and up to 1, the smaller first."
                )
        low, high = self.erase_aspect
        if not 0 < low <= high:
            raise ConfigError(
                f"Augmentation 'erase_aspect' is {self.erase_aspect}; it must be two ratios above "
                "0, the smaller first."
            )


@dataclass(frozen=True)
class Draw:
    """One batch's random parameters for flip, pad and crop, and erase, on the CPU.

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
    derived = _Derived(generator)
    drawn = draw(count, (height, width), augment, generator)

    if augment.crop is not None:
        batch = warp.warp(
            batch, draw_crops(count, (height, width), augment.crop, derived(_CROP)), border="edge"
        )
    batch = transforms.flip(batch, send(drawn.flip, device))
    if augment.pad:
        top, left = send(drawn.top, device), send(drawn.left, device)
        batch = transforms.pad_crop(batch, top, left, pad=augment.pad)
    batch = _change_pixels(batch, augment, derived)

    images = transforms.normalize(batch, preprocess)

    values = transforms.noise_size(drawn.boxes, channels)
    if values:
        noise = torch.randn(values, generator=generator)
        images = transforms.erase(images, send(drawn.boxes, device), send(noise, device))
    return images


class _Derived:
    """Generators of single operations, from a generator's state, which stays as it is."""

    def __init__(self, generator: Generator) -> None:
        peek = generator.clone_state()
        self._seed = int(torch.randint(1 << 62, (), generator=peek))

    def __call__(self, operation: int) -> Generator:
        return Generator().manual_seed(derive_seed(self._seed, operation))


def draw_crops(
    count: int, size: tuple[int, int], share: tuple[float, float], generator: Generator
) -> Tensor:
    """Draw parts of images that keep a random share of the area, as matrices for `warp`.

    The share is uniform. The height kept over the width kept, both as shares of the image's, is
    log-uniform between 3/4 and 4/3 as far as such a part fits into the image, so that no draw fails
    and square images are cropped as is usual. Parts need not begin at whole pixels.

    Args:
        count: B, images.
        size: Height and width of the images.
        share: Smallest and largest share.
        generator: A CPU generator; it moves on.

    Returns:
        (B, 2, 3) float64.
    """
    area, aspect, row, column = torch.rand(4, count, generator=generator, dtype=torch.float64)
    area = _between(area, *share)
    low = area.clamp(min=_CROP_ASPECT[0]).log()
    high = (1 / area).clamp(max=_CROP_ASPECT[1]).log()
    aspect = (low + (high - low) * aspect).exp()
    tall, wide = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    return warp.crop(column * (1 - wide) * size[1], row * (1 - tall) * size[0], wide, tall)


def _change_pixels(batch: Tensor, augment: Augment, own: _Derived) -> Tensor:
    """Make the changes between pad and crop and normalising."""
    if augment.policy is not None:
        batch = policies.policy(batch, augment.policy, own(_POLICY))
    if augment.color_jitter is not None:
        batch = policies.color_jitter(batch, augment.color_jitter, own(_COLOR))
    if augment.gray:
        chance = torch.rand(len(batch), generator=own(_GRAY), dtype=torch.float64)
        chosen = send(chance < augment.gray, batch.device)[:, None, None, None]
        batch = torch.where(chosen, photometric.gray(batch), batch)
    if augment.blur:
        chance, sigma = torch.rand(2, len(batch), generator=own(_BLUR), dtype=torch.float64)
        rows = (chance < augment.blur).nonzero()[:, 0]
        there = send(rows, batch.device)
        blurred = photometric.blur(batch[there], _between(sigma[rows], *_BLUR_SIGMA))
        batch = batch.index_copy(0, there, blurred)
    return batch


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
