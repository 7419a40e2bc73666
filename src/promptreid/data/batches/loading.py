"""Batches made ahead of time: decoding runs in the background while the model computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from promptreid.data.augment.mix import Mix, draw_mix, mix_images, mixed_labels
from promptreid.data.augment.pipeline import Augment, apply
from promptreid.data.batches.samplers import Indices, Sampler, Sequential
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.images.transforms import normalize
from promptreid.errors import ConfigError
from promptreid.seeds import derive_seed
from promptreid.transfer import send

__all__ = ["Batch", "TestLoader", "TrainLoader", "derive_seed"]

_AHEAD = 3
_UNKNOWN = -1

Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Batch:
    """What one training step sees, on the loader's device but for what is said to be on the CPU.

    With two copies of each image the first copies of all come first, then the second copies, and
    everything else repeats.

    Attributes:
        images: Augmented and normalised, (B, 3, H, W) float32.
        labels: Identity numbers, (B,) int64.
        host_labels: The same on the CPU, which knows them before the device has anything.
        cameras: Rows of the camera table, (B,) int64, -1 where unknown.
        views: Rows of the view table, (B,) int64, -1 where unknown.
        indices: Which samples these are, (B,) int64, on the CPU.
        mix: What the images show of others; None when all are clean. Copies of an image are mixed
            with copies of the same other image, as much, so that they are clean or not together.
    """

    images: Tensor
    labels: Tensor
    host_labels: Tensor
    cameras: Tensor
    views: Tensor
    indices: Tensor
    mix: Mix | None = None

    def __len__(self) -> int:
        """Return B, the number of images."""
        return len(self.indices)


class TrainLoader:
    """Augmented batches of an epoch, decided by the seed and the epoch's number alone.

    The randomness of a batch depends on seed, epoch and its place in the epoch, not on the batches
    before it. A run that starts again in the middle of an epoch sees the very same images.
    """

    def __init__(
        self,
        store: ImageStore,
        *,
        labels: Sequence[int] | Indices,
        cameras: Sequence[int | None] | Indices | None = None,
        views: Sequence[int | None] | Indices | None = None,
        sampler: Sampler,
        augment: Augment,
        preprocess: Preprocess,
        seed: int,
        copies: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        """Put the parts together; nothing is read yet.

        The many arguments are the columns of the samples and what batches are drawn by.

        Args:
            store: The N images.
            labels: Identity number of each image, (N,).
            cameras: Row of the camera table of each image, None where unknown; None when none is.
            views: Rows of the view table, likewise.
            sampler: Decides the batches.
            augment: How images are changed.
            preprocess: Gives mean and std.
            seed: Randomness of the augmentation.
            copies: How often each image of a batch is in it, each time changed differently. The
                first copies are those of a loader without others.
            device: Where batches go.

        Raises:
            ConfigError: `copies` is below 1.
            ValueError: `labels`, `cameras` or `views` are not as many as the images.
        """
        if copies < 1:
            raise ConfigError(f"There are {copies} copies of each image; there must be at least 1.")
        self._copies = copies
        self._store = store
        self._labels = _numbers("labels", labels, len(store))
        self._cameras = _numbers("cameras", cameras, len(store))
        self._views = _numbers("views", views, len(store))
        self._sampler = sampler
        self._augment = augment
        self._preprocess = preprocess
        self._seed = seed
        self._device = torch.device(device)

    def sizes(self, epoch: int) -> list[int]:
        """Return the number of images in each batch of an epoch, every copy counted."""
        return [len(batch) * self._copies for batch in self._sampler.batches(epoch)]

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """Yield an epoch's batches in order.

        Close the iterator (or let go of it) to stop early; its thread ends with it.

        Args:
            epoch: Number of the epoch.
            start: Batches to leave out at the beginning; the others are as in a full pass.

        Raises:
            UnreadableImage: A file of the batch that is due cannot be read.
            ValueError: The epoch has fewer than `start` batches.
        """
        batches = self._sampler.batches(epoch)
        if not 0 <= start <= len(batches):
            raise ValueError(f"Epoch {epoch} has {len(batches)} batches; start is {start}.")
        return self._from(epoch, start, batches[start:])

    def _from(self, epoch: int, start: int, batches: list[Indices]) -> Iterator[Batch]:
        read = _reader(self._store, self._device)
        with closing(make_ahead(read, batches)) as ahead:
            for place, pixels in enumerate(ahead, start=start):
                yield self._batch(batches[place - start], pixels, (self._seed, epoch, place))

    def _batch(self, rows: Indices, pixels: Tensor, place: tuple[int, int, int]) -> Batch:
        pixels = pixels.to(self._device, non_blocking=True)
        first = derive_seed(*place)
        seeds = [first, *(derive_seed(first, number) for number in range(1, self._copies))]
        images = [
            apply(pixels, self._preprocess, self._augment, torch.Generator().manual_seed(seed))
            for seed in seeds
        ]
        indices = torch.from_numpy(rows)
        labels = self._labels[indices]
        mix = None
        if self._augment.mix is not None:
            generator = torch.Generator().manual_seed(derive_seed(first, 0))
            height, width = pixels.shape[2:]
            drawn = draw_mix(labels, (height, width), self._augment.mix, generator)
            images = [mix_images(copy, drawn) for copy in images]
            found = mixed_labels(labels, drawn)
            if not found.clean.all():
                mix = Mix(
                    self._repeated(found.partner),
                    self._repeated(found.weight),
                    found.clean.repeat(self._copies),
                )
        return Batch(
            images=images[0] if self._copies == 1 else torch.cat(images),
            labels=self._repeated(labels),
            host_labels=labels.repeat(self._copies),
            cameras=self._repeated(self._cameras[indices]),
            views=self._repeated(self._views[indices]),
            indices=indices.repeat(self._copies),
            mix=mix,
        )

    def _repeated(self, values: Tensor) -> Tensor:
        """Return values of a batch once for each copy, on the loader's device."""
        return send(values.repeat(self._copies), self._device)


class TestLoader:
    """All images in order, normalised and otherwise unchanged."""

    __test__ = False  # the name is no test class to pytest

    def __init__(
        self,
        store: ImageStore,
        preprocess: Preprocess,
        batch_size: int,
        *,
        device: torch.device | str = "cpu",
        own: slice | None = None,
    ) -> None:
        """Put the parts together; nothing is read yet.

        Args:
            store: The N images.
            preprocess: Gives mean and std.
            batch_size: Images at a time; the last batch holds the rest.
            device: Where images go.
            own: Which of the batches to give; None for all.

        Raises:
            ConfigError: `batch_size` is below 1.
            DataError: The store is empty.
        """
        self._store = store
        self._preprocess = preprocess
        self._batches = Sequential(len(store), batch_size).batches()[own or slice(None)]
        self._device = torch.device(device)

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._batches)

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield sample indices (B,) int64 on the CPU and images (B, 3, H, W) float32.

        Raises:
            UnreadableImage: A file of the batch that is due cannot be read.
        """
        read = _reader(self._store, self._device)
        with closing(make_ahead(read, self._batches)) as ahead:
            for indices, pixels in zip(self._batches, ahead, strict=True):
                images = normalize(pixels.to(self._device, non_blocking=True), self._preprocess)
                yield torch.from_numpy(indices), images


def _reader(store: ImageStore, device: torch.device) -> Callable[[Indices], Tensor]:
    """Return what reads a batch; for CUDA into memory that the card fetches by itself."""
    if device.type == "cuda":
        return lambda indices: store.batch(indices).pin_memory()
    return store.batch


def make_ahead(make: Callable[[Item], Made], items: Sequence[Item]) -> Generator[Made]:
    """Make something of each item in one background thread, a few items ahead.

    Close the iterator to stop early: its thread ends with it. What `make` raises is raised here,
    when its item is due.
    """
    with ThreadPoolExecutor(1, "promptreid-ahead") as pool:
        pending: deque[Future[Made]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(make, item))
                if len(pending) > _AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _numbers(name: str, values: Sequence[int | None] | Indices | None, count: int) -> Tensor:
    """Return (N,) int64 with -1 for what is unknown."""
    if values is None:
        return torch.full((count,), _UNKNOWN)
    if len(values) != count:
        raise ValueError(f"There are {len(values)} {name} for {count} images.")
    return torch.from_numpy(
        np.array([_UNKNOWN if value is None else value for value in values], dtype=np.int64)
    )
