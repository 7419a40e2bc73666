"""Run a recipe: its stages in order, checkpoints on the way, the best one at the end."""

from __future__ import annotations

import contextlib
import shutil
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import torch

from promptreid.config.schema import Recipe
from promptreid.config.stage import StageConfig
from promptreid.data.augment.pipeline import Augment
from promptreid.data.batches.loading import TrainLoader
from promptreid.data.batches.samplers import Indices, derive_seed
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.splits.validation import Validation
from promptreid.evaluation.ranking.scoring import evaluate_protocol
from promptreid.inference.embed import embed_manifest, embed_store
from promptreid.losses.loss_state import StateSetting
from promptreid.losses.terms import build_states
from promptreid.models.checkpoint import save_model
from promptreid.models.reid import ReIDModel
from promptreid.progress import Progress, epoch_line
from promptreid.runs.run_folder import RunFolder
from promptreid.tracking.tracker_group import Trackers
from promptreid.training.run.training_data import TrainingData
from promptreid.training.stage.early_stopping import EarlyStopping
from promptreid.training.stage.ema import WeightAverage
from promptreid.training.stage.epoch_checkpoints import EpochCheckpoints
from promptreid.training.stage.feature_cache import cached_projections
from promptreid.training.stage.hardest import hardest_rows
from promptreid.training.stage.learning_parts import set_learning, set_modes
from promptreid.training.stage.stage import StageRunner
from promptreid.training.stage.stage_batches import (
    AugmentedImages,
    BatchSource,
    CachedFeatures,
    stage_sampler,
)
from promptreid.training.stage.step_outputs import Domains
from promptreid.training.stage.training_state import TrainingState

# A checkpoint is due when this many times its own writing time has passed since the last one, so
# that saving costs a few percent at most; and never later than this many seconds.
_SAVE_SHARE, _SAVE_SECONDS = 20.0, 300.0


class Interrupted(Exception):  # noqa: N818 - not an error: the user asked for it
    """Training was stopped by a signal after a checkpoint was written."""


class Trainer:
    """Trains one model by one recipe into one run folder."""

    def __init__(
        self,
        run: RunFolder,
        recipe: Recipe,
        model: ReIDModel,
        preprocess: Preprocess,
        data: TrainingData,
        *,
        state: TrainingState,
        metadata: dict[str, Any],
        seed: int,
        device: torch.device,
        precision: str,
        trackers: Trackers,
        progress: Progress,
    ) -> None:
        """Take everything ready-made; see `promptreid.training.run.train` for putting it together.

        Args:
            run: Where checkpoints and metrics go.
            recipe: Stages to run.
            model: On the CPU or on `device`.
            preprocess: Saved with the weights.
            data: Training rows and validation.
            state: Where to start.
            metadata: Saved with the weights.
            seed: Of every random choice.
            device: Where to train.
            precision: "fp32" or "bf16".
            trackers: What gets each row of the metrics table, too.
            progress: Where to report.
        """
        self.run, self.recipe, self.preprocess, self.data = run, recipe, preprocess, data
        self.model, self.state, self.metadata = model.to(device), state, metadata
        self.seed, self.device, self.precision, self.progress = seed, device, precision, progress
        self.trackers = trackers
        self._patience = EarlyStopping.of(recipe.validation)
        self._epochs_kept = EpochCheckpoints(run, recipe.checkpoints)
        self._runner: StageRunner | None = None
        self._stop = threading.Event()
        self._saved_at, self._save_cost = time.monotonic(), 0.0
        self._stores: dict[str, ImageStore] = {}

    def fit(self) -> None:
        """Run all stages that are not done yet.

        Raises:
            Interrupted: A signal asked for a stop; the state is saved.
            DataError: A stage's batches cannot be made from the data.
            RunError: A loss is not finite.
        """
        if self.recipe.validation.patience is not None and not self.data.validations:
            self.progress.message(
                "validation.patience has nothing to wait for: there are no validation images, so "
                "all epochs are trained"
            )
        with _Signals(self._stop, waits=lambda: self._runner is not None):
            for index in range(self.state.stage, len(self.recipe.stages)):
                self._run_stage(index)
            if self.state.best is None:
                self._save_best(None, "the last epoch; there are no validation images")
            if not self.run.last.is_file():
                self._save_last()

    def _run_stage(self, index: int) -> None:
        stage = self.recipe.stages[index]
        seed = derive_seed(self.seed, index)
        # Taking features puts the model in eval mode, so the modes are set after it.
        source = self._source(stage, seed, self._rows(stage))
        parameters = set_learning(self.model, stage.learns, blocks=stage.blocks)
        setting = StateSetting(
            widths=self.model.widths,
            classes=len(self.data.classes),
            model=self.model,
            generator=torch.Generator().manual_seed(derive_seed(seed, 3)),
        )
        self._runner = StageRunner(
            config=stage,
            model=self.model,
            parameters=parameters,
            source=source,
            states=build_states(stage.losses, setting),
            domains=_domains(stage, self.data, self.device),
            average=WeightAverage(self.model, stage.ema) if stage.ema is not None else None,
            state=self.state,
            precision=self.precision,
            device=self.device,
            seed=seed,
            progress=self.progress,
            after_step=self._after_step,
            after_epoch=self._after_epoch,
            over=lambda: self._patience.over(self.state),
        )
        self._runner.run()
        self._runner = None
        self.state.stage, self.state.epoch, self.state.step = index + 1, 1, 0
        self.state.to_beat, self.state.waited = None, 0
        self._save_last()
        self._stop_if_asked()

    def _rows(self, stage: StageConfig) -> Indices | None:
        """Return the training images a stage learns from; None for all."""
        if stage.hardest is None:
            return None
        if self.state.rows is None:
            vectors = embed_store(
                self.model,
                self._store(self.preprocess.test_interpolation),
                self.preprocess,
                cameras=self.data.cameras,
                views=self.data.views,
                device=self.device,
                title="embedding training images",
                progress=self.progress,
            )
            labels = torch.from_numpy(self.data.labels)
            rows = hardest_rows(vectors, labels, stage.hardest)
            self.state.rows = torch.from_numpy(rows)
            self.progress.message(
                f"stage {stage.name} learns from the {len(rows)} hardest of {len(labels)} images"
            )
        return self.state.rows.numpy()

    def _source(self, stage: StageConfig, seed: int, rows: Indices | None) -> BatchSource:
        variants = self.data.variants
        if stage.images == "cached":
            features = cached_projections(
                self.model,
                self._store(self.preprocess.test_interpolation),
                self.preprocess,
                folder=self.run.cache,
                fingerprint=self.data.fingerprint,
                precision=self.precision,
                device=self.device,
                progress=self.progress,
            )
            labels = torch.from_numpy(self.data.labels).to(self.device)
            return CachedFeatures(
                features,
                labels,
                variants=torch.from_numpy(variants).to(self.device),
                sampler=stage_sampler(stage, self.data, derive_seed(seed, 1), rows=rows),
            )
        instances = np.arange(len(self.data), dtype=np.int64)
        loader = TrainLoader(
            self._store(self.preprocess.train_interpolation),
            labels=self.data.labels if stage.labels == "identity" else instances,
            cameras=self.data.cameras,
            views=self.data.views,
            sampler=stage_sampler(stage, self.data, seed, rows=rows),
            augment=Augment.of(stage.augment),
            preprocess=self.preprocess,
            seed=seed,
            device=self.device,
            copies=stage.views,
        )
        return AugmentedImages(
            self.model,
            loader,
            variants=variants,
            precision=self.precision,
            device=self.device,
        )

    def _store(self, interpolation: str) -> ImageStore:
        if interpolation not in self._stores:
            self._stores = {  # one at a time: two copies of a data set may not fit
                interpolation: ImageStore(
                    self.data.images, self.preprocess.image_size, interpolation
                )
            }
        return self._stores[interpolation]

    def _after_step(self) -> None:
        if self._stop.is_set() or self._due():
            self._save_last()
        self._stop_if_asked()

    def _after_epoch(self, row: dict[str, Any]) -> None:
        stage = next(stage for stage in self.recipe.stages if stage.name == row["stage"])
        row |= self._validate(stage, row["epoch"])
        self.state.table.append(row)
        self.progress.message(epoch_line(row | self._validated(), stage.epochs))
        self.run.write_metrics(self.state.table)
        self.trackers.log(row, len(self.state.table))
        if self._epochs_kept.due(len(self.state.table)):
            self._save_epoch(stage.name, row["epoch"])
        self._tell_early_end(stage, row["epoch"])
        if row["epoch"] < stage.epochs and (self._stop.is_set() or self._due()):
            self._save_last()
            self._stop_if_asked()

    def _validate(self, stage: StageConfig, epoch: int) -> dict[str, Any]:
        """Score the validation images when the embedding has changed and it is time to."""
        last = epoch == stage.epochs
        wanted = epoch % self.recipe.validation.every == 0 or last
        if not self.data.validations or not stage.moves_embedding or not wanted:
            return {}
        with self._averaged():
            found = [self._validation_scores(validation) for validation in self.data.validations]
            mean = {key: sum(row[key] for row in found) / len(found) for key in found[0]}
            score = mean[self.recipe.validation.metric]
            if self.state.best is None or score > self.state.best:
                self._save_best(score, f"stage {stage.name}, epoch {epoch}")
        set_modes(self.model, stage.learns, blocks=stage.blocks)
        row: dict[str, Any] = {f"val_{key}": value for key, value in mean.items()}
        self._patience.heard(self.state, score)
        return row if self._patience.patience is None else row | {"waited": self.state.waited}

    def _validated(self) -> dict[str, int]:
        """Say on how many identities validation scores rest, the fewest of all data sets."""
        counts = [
            len({validation.manifest.identity_keys()[row] for row in repeat.query})
            for validation in self.data.validations
            for repeat in validation.protocol.repeats
        ]
        return {"val_identities": min(counts)} if counts else {}

    def _averaged(self) -> contextlib.AbstractContextManager[object]:
        """Put the average of the weights into the model for a while, where one is kept."""
        average = self._runner.average if self._runner is not None else None
        return average.applied() if average is not None else contextlib.nullcontext()

    def _tell_early_end(self, stage: StageConfig, epoch: int) -> None:
        """Say and note that the stage ends now, if it does so before its last epoch."""
        if epoch < stage.epochs and self._patience.over(self.state):
            self.state.ended_early[stage.name] = epoch
            self.progress.message(self._patience.words(stage.name, epoch, stage.epochs))

    def _validation_scores(self, validation: Validation) -> dict[str, float]:
        embeddings = embed_manifest(
            self.model,
            validation.manifest,
            self.preprocess,
            metadata=self.metadata,
            device=self.device,
            progress=self.progress,
        )
        with self.progress.doing("ranking validation images"):
            scores = evaluate_protocol(embeddings, validation.protocol)
        ranks = {f"rank{k}": scores.cmc[k] for k in (1, 5, 10)}
        return {"mAP": scores.mAP, "mINP": scores.mINP, **ranks}

    def _due(self) -> bool:
        waited = time.monotonic() - self._saved_at
        return waited >= min(_SAVE_SHARE * self._save_cost, _SAVE_SECONDS)

    def _stop_if_asked(self) -> None:
        if self._stop.is_set():
            raise Interrupted(str(self.run.path))

    def _save_last(self) -> None:
        begun = time.monotonic()
        if self._runner is not None:
            self._runner.capture()
        tensors, plain = self.state.pack()
        self.run.check_own()
        save_model(
            self.run.last, self.model, {**self.metadata, "training": plain}, extra_tensors=tensors
        )
        self.run.write_metrics(self.state.table)
        self._saved_at = time.monotonic()
        self._save_cost = self._saved_at - begun

    def _save_best(self, score: float | None, chosen_at: str) -> None:
        self.state.best, self.state.best_at = score, chosen_at
        note = {"score": score, "metric": self.recipe.validation.metric, "chosen_at": chosen_at}
        self.run.check_own()
        save_model(self.run.best, self.model, {**self.metadata, "best": note})

    def _save_epoch(self, stage: str, epoch: int) -> None:
        """Keep the weights that validation would see, and drop those that are too old."""
        done = len(self.state.table)
        note = {"of_run": done, "stage": stage, "epoch": epoch}
        self.run.check_own()
        with self._averaged():
            save_model(
                self.run.epoch_checkpoint(done), self.model, {**self.metadata, "epoch": note}
            )
        self._epochs_kept.prune()


def _domains(stage: StageConfig, data: TrainingData, device: torch.device) -> Domains | None:
    if stage.domains == "joint":
        return None
    return Domains(data.domains, torch.from_numpy(data.class_domains).to(device), stage.domains)


class _Signals:
    """Turn Ctrl-C and a termination request into a flag that is read after the current step.

    Where no step is running (loading, caching features), and at the second request, the
    interruption is immediate.
    """

    def __init__(self, stop: threading.Event, *, waits: Callable[[], bool]) -> None:
        self._stop, self._waits = stop, waits
        self._before: list[tuple[int, Any]] = []

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before.append((number, signal.signal(number, self._handle)))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._stop.is_set() or not self._waits():
            raise KeyboardInterrupt
        self._stop.set()

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)


def clean_cache(run: RunFolder) -> None:
    """Remove features that a finished run no longer needs."""
    shutil.rmtree(run.cache, ignore_errors=True)
