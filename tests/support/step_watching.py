"""One step of every stage of a recipe, watched, and nothing written."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.small_recipes import small_training, tiny_copy
from run_records import make_run
from small_models import RESNET, small_backbone

from promptreid.data.dataset import DataSet
from promptreid.inference.run_context import RunContext
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.towers.backbone import Backbone
from promptreid.progress import Silent
from promptreid.tracking.tracker_group import Trackers
from promptreid.training.stage.stage import StageRunner
from promptreid.training.stage.trainer import Trainer
from promptreid.training.stage.training_state import TrainingState


class Unwritten(Trainer):
    """A trainer that takes one step in each stage and writes nothing.

    Attributes:
        rows: What an epoch would add to the table of metrics.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.rows: list[dict[str, Any]] = []

    def _save_last(self) -> None:
        """Leave the disk alone."""

    def _save_best(self, score: float | None, chosen_at: str) -> None:
        """Leave the disk alone."""

    def _after_step(self) -> None:
        """End the epoch: one step shows all there is to see."""
        runner = self._runner
        assert runner is not None
        runner.state.step = len(runner.source.sizes(runner.state.epoch))

    def _after_epoch(self, row: dict[str, Any]) -> None:
        """Keep the row, and validate nothing."""
        self.rows.append(row)


def small_copy(name: str, **_: object) -> Backbone:
    return small_backbone(RESNET)


def shallow_copy(name: str, **size: Any) -> Backbone:
    """Return `tiny` with three blocks for images and two for sentences: first, last, and between.

    All blocks do the same, and what recipes cost in these tests is the number of operations.
    """
    backbone = tiny_copy(name, **size)
    image, text = backbone.image.transformer, backbone.text.transformer
    image.resblocks, text.resblocks = image.resblocks[:3], text.resblocks[:2]
    backbone.image.block_count = 3
    return backbone


def unwritten_trainer(
    name: str, data: DataSet, folder: Path, device: torch.device, *, precision: str = "fp32"
) -> Unwritten:
    """Build a trainer of a recipe at small size."""
    make = small_copy if name.endswith("cnn") else shallow_copy
    recipe, rows, model, preprocess = small_training(name, data, make_backbone=make)
    return Unwritten(
        make_run(folder),
        recipe,
        model,
        rows,
        state=TrainingState(),
        info=CheckpointInfo(preprocess=preprocess),
        trackers=Trackers(folder, (), say=Silent().message),
        context=RunContext(device, precision),
    )


@contextlib.contextmanager
def epochs(
    inside: Callable[[], contextlib.AbstractContextManager[Any]],
) -> Generator[Counter[str]]:
    """Run epochs within a context, but for what is done once in each, and count their batches."""
    counts: Counter[str] = Counter()
    epoch, refresh, close = (
        getattr(StageRunner, name) for name in ("_epoch", "_refresh_texts", "_close_epoch")
    )

    def run_epoch(runner: StageRunner, number: int) -> None:
        with contextlib.ExitStack() as stack:
            runner.around = stack  # type: ignore[attr-defined]
            epoch(runner, number)

    def refresh_texts(runner: StageRunner) -> None:
        refresh(runner)
        runner.around.enter_context(inside())  # type: ignore[attr-defined]

    def close_epoch(runner: StageRunner, number: int, rate: float) -> None:
        runner.around.close()  # type: ignore[attr-defined]
        counts[runner.config.name] += runner.state.step
        close(runner, number, rate)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StageRunner, "_epoch", run_epoch)
        patch.setattr(StageRunner, "_refresh_texts", refresh_texts)
        patch.setattr(StageRunner, "_close_epoch", close_epoch)
        yield counts
