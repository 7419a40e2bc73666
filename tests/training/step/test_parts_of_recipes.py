"""Every family of recipes has the same losses and gradients with batches in parts."""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.small_recipes import small_training, two_domains
from run_records import make_run

from promptreid.data.dataset import DataSet
from promptreid.inference.run_context import RunContext
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.tracking.tracker_group import Trackers
from promptreid.training.stage.trainer import Trainer
from promptreid.training.stage.training_state import TrainingState
from promptreid.training.step.training_step import TrainingStep

pytestmark = pytest.mark.slow

FAMILIES = (
    "clip-reid",
    "finetune-ce/lora",
    "finetune-losses/ce-triplet-center",
    "finetune-losses/mgn",
    "hand-clip/joint",
    "mta-clip",
    "pretrain-moco",
    "prompt-sg",
)


APART = 1e-7
"""Largest difference beside the largest gradient, in float64 but for the softmax of attention over
words, which is of float32 whatever comes in."""


class Unsaved(Trainer):
    """A trainer that writes nothing, and keeps the rows of its epochs."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.rows: list[dict[str, Any]] = []

    def _save_last(self) -> None:
        """Leave the disk alone."""

    def _save_best(self, score: float | None, chosen_at: str) -> None:
        """Leave the disk alone."""

    def _after_step(self) -> None:
        """Write no checkpoint."""

    def _after_epoch(self, row: dict[str, Any]) -> None:
        self.rows.append(row)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return two_domains(tmp_path_factory.mktemp("parts"))


@contextlib.contextmanager
def in_float64() -> Generator[None]:
    """Let losses compute in float64, in which products of other sizes round alike enough."""
    kind = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.Tensor, "float", torch.Tensor.double)
            yield
    finally:
        torch.set_default_dtype(kind)


def gradients(name: str, data: DataSet, folder: Path, *more: str) -> tuple[list[Any], list[Any]]:
    """Train a recipe; return the gradients of each step by name, and the rows of its epochs."""
    recipe, rows, model, preprocess = small_training(name, data, *more)
    model.double()
    model.backbone.image.register_forward_pre_hook(lambda _, given: (given[0].double(), *given[1:]))
    seen = []

    def note(step: TrainingStep) -> bool:
        grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        seen.append(grads)
        return move(step)

    with in_float64():
        trainer = Unsaved(
            RunFolder.of(folder) or make_run(folder),
            recipe,
            model,
            rows,
            state=TrainingState(),
            info=CheckpointInfo(preprocess=preprocess),
            trackers=Trackers(folder, (), say=Silent().message),
            context=RunContext(torch.device("cpu"), hardware=recipe.hardware),
        )
        move = TrainingStep._move
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TrainingStep, "_move", note)
            trainer.fit()
    return seen, trainer.rows


@pytest.mark.parametrize("name", FAMILIES)
def test_parts_have_the_gradient_of_the_whole(name: str, data: DataSet, tmp_path: Path) -> None:
    recipe = small_training(name, data)[0]
    # Steps of plain descent, small ones: Adam makes as much of a rounding error as of a gradient.
    plain = [
        f"stages.{stage.name}.optimizer.{change}"
        for stage in recipe.stages
        for change in ("name=sgd", "lr=1e-5")
    ]
    plain += [f"stages.{stage.name}.schedule={{name: constant}}" for stage in recipe.stages]
    whole, rows = gradients(name, data, tmp_path, *plain)
    found, others = gradients(name, data, tmp_path, *plain, "hardware.accumulate=3")
    assert len(whole) == len(found) > 1
    for first, second in zip(whole, found, strict=True):
        assert first.keys() == second.keys()
        largest = max(grad.abs().max().item() for grad in first.values())
        assert largest > 0
        for parameter in first:
            difference = (first[parameter] - second[parameter]).abs().max().item()
            assert difference < APART * largest, (parameter, difference / largest)
    for first, second in zip(rows, others, strict=True):
        for key in first:
            if key.startswith("loss"):
                assert second[key] == pytest.approx(first[key], rel=1e-7)
