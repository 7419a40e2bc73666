"""A stage on pictures of noise: a small model, its batches, and a runner of a few steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from small_heads import small_head
from torch import Tensor

from promptreid.config.hardware import HardwareConfig
from promptreid.config.stage import StageConfig
from promptreid.inference.run_context import RunContext
from promptreid.losses.loss_inputs import BatchFeatures
from promptreid.losses.loss_state import StateSetting
from promptreid.losses.terms import build_states
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import build_backbone
from promptreid.processes.process_group import ALONE, Processes
from promptreid.progress import Progress, Silent
from promptreid.training.batches.stage_batches import DrawnBatch
from promptreid.training.stage.ema import WeightAverage
from promptreid.training.stage.learning_parts import set_learning
from promptreid.training.stage.stage import StageRunner
from promptreid.training.stage.training_state import TrainingState

IDENTITIES, SIZE = 4, 8
LABELS = torch.arange(SIZE) // 2


def small_model() -> ReIDModel:
    """Return the tiny backbone at 32 x 32 pixels with necks and classifiers, always the same."""
    backbone = build_backbone("tiny", pretrained="none", image_size=(32, 32))
    head = small_head({"penultimate": 192, "final": 192, "projected": 128}, IDENTITIES)
    return ReIDModel(backbone, head=head)


def stage(**changes: Any) -> StageConfig:
    """Return a stage of one epoch with losses that remember and an average of the weights."""
    values = {
        "name": "image",
        "learns": ["image", "head"],
        "losses": {"id": 1, "triplet": 1, "center": 0.01, "memory": {"start_epoch": 1, "size": 16}},
        "batch": {"identities": IDENTITIES, "images": SIZE // IDENTITIES},
        "optimizer": {"name": "adam", "lr": 1e-4},
        "schedule": {"name": "onecycle", "per": "step"},
        "epochs": 1,
        "ema": 0.9,
        "clip_norm": 1.0,
    }
    return StageConfig.model_validate(values | changes)


class Pictures:
    """Batches of noise.

    Args:
        model: Computes the features.
        context: Where and how.
        scales: What the pixels of each batch are multiplied with.
    """

    def __init__(self, model: ReIDModel, context: RunContext, scales: Sequence[float]) -> None:
        self.model, self.context, self.scales = model, context, scales

    def sizes(self, epoch: int) -> list[int]:
        return [SIZE] * len(self.scales)

    def epoch(self, epoch: int, *, start: int) -> Iterator[DrawnBatch]:
        for number in range(start, len(self.scales)):
            generator = torch.Generator().manual_seed(100 * epoch + number)
            pixels = torch.randn(SIZE, 3, 32, 32, generator=generator) * self.scales[number]
            yield DrawnBatch(SIZE, partial(self.features, pixels))

    def features(self, images: Tensor) -> BatchFeatures:
        with self.context.forward():
            features = self.model.features(images)
            derived = self.model.derived(features, training=True)
        return BatchFeatures(
            labels=LABELS,
            host_labels=LABELS,
            projected=features.projected,
            features=derived,
            host_variants=torch.zeros_like(LABELS),
            images=images,
        )


def small_runner(
    model: ReIDModel,
    config: StageConfig,
    *,
    scales: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
    precision: str = "fp32",
    hardware: HardwareConfig | None = None,
    progress: Progress | None = None,
    state: TrainingState | None = None,
    after_step: Callable[[], None] = lambda: None,
    after_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
    processes: Processes = ALONE,
) -> StageRunner:
    """Return a runner of a stage on batches of noise."""
    hardware = hardware or HardwareConfig()
    cpu = torch.device("cpu")
    context = RunContext(cpu, precision, 3, progress or Silent(), hardware, processes)
    model.backbone.share_rows(processes)
    model.backbone.run_blocks(
        compiled=hardware.compile,
        checkpointed=hardware.checkpointing,
        say=context.progress.message,
    )
    parameters = set_learning(model, config.learns)
    setting = StateSetting(
        widths=model.widths,
        classes=IDENTITIES,
        model=model,
        generator=torch.Generator().manual_seed(5),
    )
    return StageRunner(
        config=config,
        model=model,
        parameters=parameters,
        source=Pictures(model, context, scales),
        states=build_states(config.losses, setting),
        average=WeightAverage(model, config.ema) if config.ema is not None else None,
        domains=None,
        state=state or TrainingState(),
        context=context,
        after_step=after_step,
        after_epoch=after_epoch,
        over=lambda: False,
    )
