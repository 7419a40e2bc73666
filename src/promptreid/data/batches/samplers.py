"""Which images make up each batch of an epoch.

A sampler answers with all batches of an epoch at once, from its seed and the epoch's number alone.
Starting in the middle of an epoch is then a slice, and two processes agree without talking.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import ConfigError, DataError
from promptreid.seeds import derive_seed

Indices = NDArray[np.int64]


class Sampler(Protocol):
    """Decides the batches of an epoch."""

    def batches(self, epoch: int) -> list[Indices]:
        """Return the sample indices of each batch, in order."""
        ...


class Uniform:
    """Every sample once an epoch, in random order."""

    def __init__(self, count: int, batch_size: int, seed: int, *, drop_last: bool = False) -> None:
        """Check the sizes.

        Args:
            count: N, samples to draw from.
            batch_size: Samples in a batch; the last batch holds the rest and is never empty.
            seed: Randomness of all epochs.
            drop_last: Leave the last batch out when it is smaller.

        Raises:
            ConfigError: `batch_size` is below 1.
            DataError: There are no samples, or too few for one batch where the rest is dropped.
        """
        check_sizes(count, batch_size)
        if drop_last and count < batch_size:
            raise DataError(
                f"There are {count} images, fewer than one batch of {batch_size}, and the last "
                "batch is dropped, so that nothing is left to train on. Lower the batch size."
            )
        self._count = count
        self._batch_size = batch_size
        self._seed = seed
        self._drop_last = drop_last

    def batches(self, epoch: int) -> list[Indices]:
        """Return index arrays of `batch_size`, the last one perhaps smaller."""
        order = np.random.default_rng(derive_seed(self._seed, epoch)).permutation(self._count)
        if self._drop_last:
            order = order[: self._count // self._batch_size * self._batch_size]
        return cut_batches(order, self._batch_size)


class Sequential:
    """Every sample once, in order: for embedding and caching."""

    def __init__(self, count: int, batch_size: int) -> None:
        """Check the sizes.

        Args:
            count: N, samples.
            batch_size: Samples in a batch; the last batch holds the rest and is never empty.

        Raises:
            ConfigError: `batch_size` is below 1.
            DataError: There are no samples.
        """
        check_sizes(count, batch_size)
        self._count = count
        self._batch_size = batch_size

    def batches(self, epoch: int = 0) -> list[Indices]:
        """Return index arrays of `batch_size`, the same in every epoch."""
        return cut_batches(np.arange(self._count), self._batch_size)


def cut_batches(order: Indices, size: int) -> list[Indices]:
    """Cut the samples of an epoch into batches; the last one holds the rest."""
    return [order[start : start + size] for start in range(0, len(order), size)]


def check_sizes(count: int, batch_size: int) -> None:
    """Refuse a batch size below 1, and no samples at all."""
    if batch_size < 1:
        raise ConfigError(f"The batch size is {batch_size}; it must be at least 1.")
    if count < 1:
        raise DataError("There are no images to make batches of.")
