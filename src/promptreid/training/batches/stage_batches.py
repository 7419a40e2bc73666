"""Where a stage's batches come from: augmented images, or features cached from a frozen tower."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from promptreid.config.stage import StageConfig
from promptreid.data.batches.domain_balanced import DomainBalanced, DomainUniform
from promptreid.data.batches.identity_balanced import IdentityBalanced
from promptreid.data.batches.loading import Batch, TrainLoader
from promptreid.data.batches.samplers import Indices, Sampler, Uniform
from promptreid.inference.run_context import RunContext
from promptreid.losses.loss_inputs import BatchFeatures
from promptreid.models.reid import ReIDModel
from promptreid.training.run.training_data import TrainingData
from promptreid.transfer import HostRows, send


@dataclass(frozen=True)
class RowsSampler:
    """Batches over some of the rows, as row numbers among all."""

    sampler: Sampler
    rows: Indices

    def batches(self, epoch: int) -> list[Indices]:
        """Return the sample indices of each batch, in order."""
        return [self.rows[batch] for batch in self.sampler.batches(epoch)]


def stage_sampler(
    stage: StageConfig, data: TrainingData, seed: int, *, rows: Indices | None = None
) -> Sampler:
    """Return the sampler that decides a stage's batches.

    Args:
        stage: Its `batch` and `domains` are read.
        data: Training images.
        seed: Seed of the stage.
        rows: Learn from these images only.

    Raises:
        DataError: A batch asks for more identities than there are; the sentence names the setting.
    """
    labels = data.labels if rows is None else data.labels[rows]
    sampler = _build_sampler(stage, data, labels, seed)
    return sampler if rows is None else RowsSampler(sampler, rows)


def _build_sampler(stage: StageConfig, data: TrainingData, labels: Indices, seed: int) -> Sampler:
    batch, setting = stage.batch, f"stages.{stage.name}.batch"
    if stage.domains == "joint":
        if batch.size is not None:
            return Uniform(len(labels), batch.size, seed)
        assert batch.identities is not None
        assert batch.images is not None
        return IdentityBalanced(labels, batch.identities, batch.images, seed, setting=setting)
    domains = data.class_domains[labels]
    if batch.size is not None:
        return DomainUniform(domains, batch.size, seed)
    assert batch.identities is not None
    assert batch.images is not None
    return DomainBalanced(
        labels,
        domains,
        batch.identities,
        batch.images,
        seed,
        setting=setting,
        names=data.domains,
    )


@dataclass(frozen=True)
class DrawnBatch:
    """A batch whose images are drawn and augmented.

    Attributes:
        images: Number of its images, copies included.
        features: Computes the features that losses read; when called again, from the same images.
    """

    images: int
    features: Callable[[], BatchFeatures]


class BatchSource(Protocol):
    """Batches of an epoch; starting at batch `start` gives the same batches as a whole pass."""

    def sizes(self, epoch: int) -> list[int]:
        """Return the number of images in each batch of the epoch."""
        ...

    def epoch(self, epoch: int, *, start: int) -> Iterator[DrawnBatch]:
        """Yield the batches from number `start` on."""
        ...


class AugmentedImages:
    """Load, augment and run the image tower on each batch."""

    def __init__(
        self,
        model: ReIDModel,
        loader: TrainLoader,
        *,
        variants: NDArray[np.int64],
        context: RunContext,
    ) -> None:
        self._model, self._loader = model, loader
        self._variants = torch.from_numpy(variants)
        self._context = context

    def sizes(self, epoch: int) -> list[int]:
        """Return the number of images in each batch of the epoch."""
        return self._loader.sizes(epoch)

    def epoch(self, epoch: int, *, start: int) -> Iterator[DrawnBatch]:
        """Yield the batches from number `start` on."""
        for batch in self._loader.epoch(epoch, start=start):
            yield DrawnBatch(len(batch), partial(self._features, batch))

    def _features(self, batch: Batch) -> BatchFeatures:
        variants = self._variants[batch.indices]
        with self._context.forward():
            features = self._model.features(batch.images, batch.cameras, batch.views)
            derived = self._model.derived(features, variants, training=True)
        return BatchFeatures(
            labels=batch.labels,
            host_labels=batch.host_labels,
            projected=features.projected,
            features=derived,
            host_variants=variants,
            images=batch.images,
            mix=batch.mix,
        )


class CachedFeatures:
    """Random batches over features that were taken once; the tail batch may be smaller.

    Features lie on the device; labels and variants are on the CPU.
    """

    def __init__(
        self,
        projected: Tensor,
        labels: Tensor,
        *,
        variants: Tensor | None = None,
        sampler: Sampler,
    ) -> None:
        self._projected, self._labels, self._sampler = projected, labels, sampler
        self._variants = torch.zeros_like(labels) if variants is None else variants

    def sizes(self, epoch: int) -> list[int]:
        """Return the number of images in each batch of the epoch."""
        return [len(rows) for rows in self._sampler.batches(epoch)]

    def epoch(self, epoch: int, *, start: int) -> Iterator[DrawnBatch]:
        """Yield the batches from number `start` on."""
        for rows in self._sampler.batches(epoch)[start:]:
            picked = HostRows(torch.from_numpy(np.asarray(rows)))
            yield DrawnBatch(len(picked), partial(self._features, picked))

    def _features(self, picked: HostRows) -> BatchFeatures:
        labels = picked.of(self._labels)
        return BatchFeatures(
            labels=send(labels, self._projected.device),
            host_labels=labels,
            projected=picked.of(self._projected),
            host_variants=picked.of(self._variants),
        )
