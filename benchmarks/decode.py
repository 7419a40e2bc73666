"""`decode`: an image file to the resized 8-bit pixels that training augments, on one core."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision import transforms as classic

from benchmarks.compare import Check, Comparison, Settings
from promptreid.data.images.image_store import ImageStore
from promptreid.synth.hands import hands
from promptreid.synth.people import people

_QUALITY = 95
# Pillow rounds between its two passes as torchvision does, but not always to the same side.
_ALLOWED = 2.0


def decode(settings: Settings) -> Iterator[Comparison]:
    """Compare decoding and resizing of detector crops and of photographs.

    Plain: Pillow, torchvision's `Resize` on Pillow images and `ToTensor`, as published code does.
    Ours: an image store that keeps nothing. The pictures are rendered, and differ in size only:
    128 by 64 pixels enlarged to 256 by 128 (Market-1501), and 1200 by 1600 reduced to 224 by 224
    (11k Hands).
    """
    crops, photographs = (4, 1) if settings.quick else (128, 8)
    small = (150, 200) if settings.quick else (1200, 1600)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        paths = write_crops(root / "crops", crops)
        yield _comparison("decode crops", paths, (256, 128))
        paths = write_photographs(root / "photographs", photographs, small)
        yield _comparison("decode photographs", paths, (224, 224))


def write_crops(folder: Path, count: int) -> list[Path]:
    """Render people as detectors cut them out, 128 by 64 pixels, and return the files."""
    return _write(folder, _people(count))


def write_photographs(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """Render hands of so many rows and columns of pixels, and return the files."""
    return _write(folder, _hands(count, size))


def _people(count: int) -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    place = people.domain(0)
    for number in range(count):
        identity = people.sample_identity(rng)
        yield people.render_person(identity, place, number % 6, rng, size=(128, 64)).pixels


def _hands(count: int, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    for number in range(count):
        identity = hands.sample_identity(rng)
        aspect = hands.ASPECTS[number % len(hands.ASPECTS)]
        yield hands.render_hand(identity, aspect, rng, size=size).pixels


def _write(folder: Path, pictures: Iterator[NDArray[np.uint8]]) -> list[Path]:
    folder.mkdir()
    paths = []
    for number, pixels in enumerate(pictures):
        paths.append(folder / f"{number}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=_QUALITY)
    return paths


def _comparison(name: str, paths: list[Path], size: tuple[int, int]) -> Comparison:
    store = ImageStore(paths, size, "bicubic", cache=False, threads=1)
    count = len(paths)
    return Comparison(
        name,
        lambda: decode_plainly(paths, size),
        lambda: store.batch(range(count)),
        pixel_checks,
        threads=1,
        note=lambda slow, fast: f"{count / slow:.0f} and {count / fast:.0f} images a second",
    )


def decode_plainly(paths: Iterable[Path], size: tuple[int, int]) -> list[Tensor]:
    """Decode and resize files as published data sets do: pixels (3, H, W) from 0 to 1 of each."""
    transform = classic.Compose(
        [
            classic.Resize(size, interpolation=classic.InterpolationMode.BICUBIC),
            classic.ToTensor(),
        ]
    )
    images = []
    for path in paths:
        with Image.open(path) as image:
            images.append(transform(image.convert("RGB")))
    return images


def pixel_checks(plain: list[Tensor], ours: Tensor) -> tuple[Check, ...]:
    """Compare pixels (B, 3, H, W) of the library with those of `decode_plainly`."""
    expected = (torch.stack(plain) * 255).round()
    return (Check("pixels, of 255", (expected - ours).abs().max().item(), _ALLOWED),)
