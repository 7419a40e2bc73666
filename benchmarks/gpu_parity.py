"""Does a card train as a processor does? Losses and gradients of each family of recipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu_rows import NO_CUDA, Run, matrix_products
from benchmarks.small_recipes import small_training, two_domains
from promptreid.config.recipes import load_recipe, recipe_names
from promptreid.data.dataset import DataSet
from promptreid.inference.run_context import RunContext
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.processes.process_group import ALONE, Processes
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.tracking.tracker_group import Trackers
from promptreid.training.stage.trainer import Trainer
from promptreid.training.stage.training_state import TrainingState

FAMILIES = tuple(name for name in recipe_names() if "/" not in name and load_recipe(name).stages)
"""The recipe that each family of recipes is named for."""

# What different orders of float32 sums make of a loss, and of a gradient after two steps.
_LOSS, _COSINE = 1e-3, 1e-2


class WatchedTrainer(Trainer):
    """A trainer that keeps the loss of every stage and its last gradient, and writes nothing."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.losses: list[float] = []
        self.gradient: Tensor | None = None

    def _save_last(self) -> None:
        """Leave the disk alone."""

    def _save_best(self, score: float | None, chosen_at: str) -> None:
        """Leave the disk alone."""

    def _after_step(self) -> None:
        """Go on."""

    def _after_epoch(self, row: dict[str, Any]) -> None:
        self.losses.append(row["loss"])
        parts = [p.grad.flatten() for p in self.model.parameters() if p.grad is not None]
        self.gradient = torch.cat(parts).double().cpu()


def compare_devices(run: Run) -> Iterator[Mapping[str, Any]]:
    """Train each family for two batches a stage on both devices, and compare.

    The data are painted, the backbone is tiny, products are true float32. Both devices augment
    alike to the bit; dropout is off, since they do not draw alike.
    """
    data = two_domains(run.folder / "parity")
    for name in FAMILIES:
        if run.is_over:
            yield {"recipe": name, "state": "left out: no time"}
            continue
        here = train_watched(name, data, torch.device("cpu"), run.folder / f"{name}-cpu")
        if not run.on_card:
            yield {"recipe": name, "losses": len(here.losses), "state": f"{NO_CUDA}: not compared"}
            continue
        with matrix_products("fp32"):
            there = train_watched(name, data, run.device, run.folder / f"{name}-cuda")
        yield {"recipe": name, **compare_trainings(here, there)}


def compare_trainings(here: WatchedTrainer, there: WatchedTrainer) -> Mapping[str, Any]:
    """Return the largest differences of two trainings of one recipe, and whether they are equal."""
    assert here.gradient is not None
    assert there.gradient is not None
    loss = max(
        abs(one - other) / max(abs(one), 1e-6)
        for one, other in zip(here.losses, there.losses, strict=True)
    )
    cosine = 1 - torch.nn.functional.cosine_similarity(here.gradient, there.gradient, dim=0).item()
    equal = loss <= _LOSS and cosine <= _COSINE
    return {
        "losses": len(here.losses),
        "relative difference of losses": loss,
        "one minus cosine of gradients": cosine,
        "state": "done" if equal else f"failed: more than {_LOSS:g} or {_COSINE:g}",
    }


def train_watched(
    name: str,
    data: DataSet,
    device: torch.device,
    folder: Path,
    *,
    processes: Processes = ALONE,
) -> WatchedTrainer:
    """Train a recipe at small size for two batches a stage, without dropout; nothing is written."""
    recipe, rows, model, preprocess = small_training(name, data, *_without_dropout(name))
    trainer = WatchedTrainer(
        RunFolder(folder),
        recipe,
        model,
        rows,
        state=TrainingState(),
        info=CheckpointInfo(preprocess=preprocess),
        trackers=Trackers(folder, (), say=Silent().message),
        context=RunContext(device, processes=processes),
    )
    trainer.fit()
    return trainer


def _without_dropout(name: str) -> list[str]:
    recipe = load_recipe(name)
    used = {
        "prompt.dropout": recipe.prompt.dropout,
        "prompt.domain_dropout": recipe.prompt.domain_dropout,
        "head.dropout": recipe.head.dropout,
    }
    return [f"{key}=0" for key, value in used.items() if value]
