"""Where a stage's batches come from: augmented images, or features cached from a frozen tower."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from promptreid.config.schema import StageConfig
from promptreid.data.loading import TrainLoader
from promptreid.data.samplers import IdentityBalanced, Sampler, Uniform, derive_seed
from promptreid.models.reid import ReIDModel
from promptreid.models.tower import ImageFeatures
from promptreid.training.device import forward_precision


@dataclass(frozen=True)
class Step:
    """Labels and image features of one batch."""

    labels: Tensor
    projected: Tensor
    features: ImageFeatures | None


def stage_sampler(stage: StageConfig, labels: NDArray[np.int64], seed: int) -> Sampler:
    """Return what decides a stage's batches.

    Raises:
        DataError: A batch asks for more identities than there are; the sentence names the setting.
    """
    batch = stage.batch
    if batch.size is not None:
        return Uniform(len(labels), batch.size, seed)
    assert batch.identities is not None
    assert batch.images is not None
    setting = f"stages.{stage.name}.batch"
    return IdentityBalanced(labels, batch.identities, batch.images, seed, setting=setting)


class BatchSource(Protocol):
    """Batches of an epoch; starting at batch `start` gives the same batches as a whole pass."""

    def count(self, epoch: int) -> int:
        """Return the number of batches of the epoch."""
        ...

    def epoch(self, epoch: int, *, start: int) -> Iterator[Step]:
        """Yield the batches from number `start` on."""
        ...


class AugmentedImages:
    """Load, augment and run the image tower on each batch."""

    def __init__(
        self, model: ReIDModel, loader: TrainLoader, *, precision: str, device: torch.device
    ) -> None:
        self._model, self._loader = model, loader
        self._precision, self._device = precision, device

    def count(self, epoch: int) -> int:
        """Return the number of batches of the epoch."""
        return self._loader.steps(epoch)

    def epoch(self, epoch: int, *, start: int) -> Iterator[Step]:
        """Yield the batches from number `start` on."""
        for batch in self._loader.epoch(epoch, start=start):
            with forward_precision(self._precision, self._device):
                features = self._model.features(batch.images, batch.cameras, batch.views)
            yield Step(batch.labels, features.projected, features)


class CachedFeatures:
    """Random batches over features that were taken once; the tail batch may be smaller."""

    def __init__(self, projected: Tensor, labels: Tensor, *, size: int, seed: int) -> None:
        self._projected, self._labels = projected, labels
        self._sampler = Uniform(len(labels), size, derive_seed(seed, 1))

    def count(self, epoch: int) -> int:
        """Return the number of batches of the epoch."""
        return len(self._sampler.batches(epoch))

    def epoch(self, epoch: int, *, start: int) -> Iterator[Step]:
        """Yield the batches from number `start` on."""
        for rows in self._sampler.batches(epoch)[start:]:
            picked = torch.from_numpy(np.asarray(rows)).to(self._labels.device)
            yield Step(self._labels[picked], self._projected[picked], None)
