"""`feed` and `augment`: how fast images reach the model, in the first epoch and in later ones."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad as pad_borders
from torchvision.transforms import functional as classic

from benchmarks.compare import Check, Comparison, Settings
from benchmarks.decode import decode_plainly, pixel_checks, write_crops, write_photographs
from promptreid.data.augment.pipeline import Augment, apply, draw
from promptreid.data.images import transforms
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.pixel_cache.cache_folder import PixelFolder

_BATCH = 64
_CROP = (256, 128)
_PHOTOGRAPH = (224, 224)
_LONG_AGO = (1_000_000_000, 1_000_000_000)  # pixels of files that have just changed are not kept


def feed(settings: Settings) -> Iterator[Comparison]:
    """Compare epochs over resized pixels, on one core.

    Plain: every epoch decodes and resizes every file, as published data sets do. Ours: an image
    store that keeps pixels on disk, when nothing is kept yet and in a later epoch.
    """
    rendered, copies, photographs = (4, 1, 1) if settings.quick else (64, 8, 8)
    size = (150, 200) if settings.quick else (1200, 1600)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        crops = _copied(write_crops(root / "crops", rendered), copies)
        yield from _epochs("crops", crops, _CROP, root)
        paths = _copied(write_photographs(root / "photographs", photographs, size), copies)
        yield from _epochs("photographs", paths, _PHOTOGRAPH, root)


def augment(settings: Settings) -> Iterator[Comparison]:
    """Compare the changes of a training batch: flip, pad and crop, normalise, erase.

    Plain: image after image, as published code does, with the parameters that ours draws. Ours: the
    batch as a whole.
    """
    count = 4 if settings.quick else _BATCH
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 3, *_CROP), generator=generator, dtype=torch.uint8)
    pixels = pixels.to(settings.device)
    changes, preprocess = Augment(), Preprocess(_CROP)
    yield Comparison(
        "augment",
        lambda: _augment_plainly(pixels, changes, preprocess, torch.Generator().manual_seed(1)),
        lambda: apply(pixels, preprocess, changes, torch.Generator().manual_seed(1)),
        lambda plain, ours: (Check("values", (plain - ours).abs().max().item(), 1e-6),),
        note=_rates(count),
    )


def _copied(paths: list[Path], copies: int) -> list[Path]:
    """Copy files that are too few, and make all of them old enough to be kept."""
    made = []
    for number in range(copies):
        for path in paths:
            made.append(path.with_name(f"{number}-{path.name}"))
            shutil.copy(path, made[-1])
            os.utime(made[-1], _LONG_AGO)
    return made


def _epochs(
    name: str, paths: list[Path], size: tuple[int, int], root: Path
) -> Iterator[Comparison]:
    disk = PixelFolder(root / "pixels", 8 << 30)

    def read(store: ImageStore) -> list[Tensor]:
        places = range(len(paths))
        return [store.batch(places[at : at + _BATCH]) for at in places[::_BATCH]]

    def forget() -> None:
        shutil.rmtree(disk.path, ignore_errors=True)

    def opened() -> ImageStore:
        return ImageStore(paths, size, "bicubic", cache="disk", disk=disk, threads=1)

    later = opened()
    read(later)
    for epoch, work, prepare in (
        ("later epochs", lambda: read(later), None),
        ("first epoch", lambda: read(opened()), forget),
    ):
        yield Comparison(
            f"feed {name}, {epoch}",
            lambda: decode_plainly(paths, size),
            work,
            lambda plain, ours: pixel_checks(plain, torch.cat(ours)),
            prepare=prepare,
            threads=1,
            note=_rates(len(paths)),
        )
    forget()


def _rates(count: int) -> Callable[[float, float], str]:
    return lambda plain, ours: f"{count / plain:,.0f} and {count / ours:,.0f} images a second"


def _augment_plainly(
    pixels: Tensor, changes: Augment, preprocess: Preprocess, generator: torch.Generator
) -> Tensor:
    drawn = draw(len(pixels), preprocess.image_size, changes, generator)
    noise = torch.randn(transforms.noise_size(drawn.boxes, 3), generator=generator)
    noise = noise.to(pixels.device)
    height, width = preprocess.image_size
    images, used = [], 0
    for number, image in enumerate(pixels):
        if drawn.flip[number]:
            image = classic.hflip(image)
        image = pad_borders(image, (changes.pad,) * 4)
        top, left = int(drawn.top[number]), int(drawn.left[number])
        image = classic.convert_image_dtype(classic.crop(image, top, left, height, width))
        image = classic.normalize(image, list(preprocess.mean), list(preprocess.std))
        top, left, tall, wide = drawn.boxes[number].tolist()
        values = noise[used : used + 3 * tall * wide].view(3, tall, wide)
        images.append(classic.erase(image, top, left, tall, wide, values))
        used += values.numel()
    return torch.stack(images)
