"""The images or cached features that the stages of a run take their batches from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from promptreid.config.stage import StageConfig
from promptreid.data.augment.pipeline import Augment
from promptreid.data.batches.loading import TrainLoader
from promptreid.data.batches.samplers import Indices
from promptreid.data.images.image_store import ImageStore
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import SideRows
from promptreid.inference.run_context import RunContext
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.seeds import derive_seed
from promptreid.training.batches.feature_cache import cached_projections
from promptreid.training.batches.hardest import hardest_rows
from promptreid.training.batches.stage_batches import (
    AugmentedImages,
    BatchSource,
    CachedFeatures,
    stage_sampler,
)
from promptreid.training.run.training_data import TrainingData


class StageSources:
    """Makes the batches of each stage from the training images of a run."""

    def __init__(
        self,
        model: ReIDModel,
        data: TrainingData,
        info: CheckpointInfo,
        *,
        cache: Path,
        context: RunContext,
    ) -> None:
        """Note what batches are made from; nothing is read yet.

        Args:
            model: The model in training, on the context's device.
            data: Training rows.
            info: What checkpoints say of the model; how images are prepared, among others.
            cache: Folder for features of a frozen image tower.
            context: Where and how to compute.
        """
        self._model, self._data, self._info = model, data, info
        self._cache, self._context = cache, context
        self._stores: dict[str, ImageStore] = {}

    def batches(self, stage: StageConfig, seed: int, rows: Indices | None) -> BatchSource:
        """Return the batches of a stage.

        Features of a frozen tower are taken here, which puts the model in eval mode.

        Args:
            stage: Its images, batches, augmentation and labels are read.
            seed: Seed of the stage.
            rows: Images to learn from; None for all.

        Raises:
            DataError: The batches cannot be made from the data.
        """
        if stage.images == "cached":
            return self._cached(stage, seed, rows)
        data = self._data
        instances = np.arange(len(data), dtype=np.int64)
        loader = TrainLoader(
            self._store(self._info.preprocess.train_interpolation),
            labels=data.labels if stage.labels == "identity" else instances,
            cameras=data.cameras,
            views=data.views,
            sampler=stage_sampler(stage, data, seed, rows=rows),
            augment=Augment.of(stage.augment),
            preprocess=self._info.preprocess,
            seed=seed,
            device=self._context.device,
            copies=stage.views,
        )
        return AugmentedImages(
            self._model,
            loader,
            variants=data.variants,
            context=self._context,
        )

    def _cached(self, stage: StageConfig, seed: int, rows: Indices | None) -> CachedFeatures:
        data = self._data
        features = cached_projections(
            self._model,
            self._store(self._info.preprocess.test_interpolation),
            self._info.preprocess,
            folder=self._cache,
            fingerprint=data.fingerprint,
            context=self._context,
        )
        return CachedFeatures(
            features,
            torch.from_numpy(data.labels),
            variants=torch.from_numpy(data.variants),
            sampler=stage_sampler(stage, data, derive_seed(seed, 1), rows=rows),
        )

    def hardest(self, share: float) -> Indices:
        """Return the rows of the images that the model confuses most; see `hardest_rows`."""
        vectors = Embedder(self._model, self._info, device=self._context.device).embed_source(
            self._store(self._info.preprocess.test_interpolation),
            SideRows.of(self._data.cameras, self._data.views),
            title="embedding training images",
            progress=self._context.progress,
        )
        return hardest_rows(vectors, torch.from_numpy(self._data.labels), share)

    def _store(self, interpolation: str) -> ImageStore:
        if interpolation not in self._stores:
            self._stores = {  # one at a time: two copies of a data set may not fit
                interpolation: ImageStore(
                    self._data.images, self._info.preprocess.image_size, interpolation
                )
            }
        return self._stores[interpolation]
