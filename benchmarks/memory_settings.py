"""What `accumulate`, `checkpointing` and `compile` cost: time and memory of a step with each.

    python -m benchmarks.memory_settings [NAME]... [--precision bf16] [--images 32] [--quick]

There is no plain side: loss and gradient are the same in every row, but for rounding.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click
import torch
from torch import nn

from benchmarks.compare import Settings, default_cores, describe_device
from benchmarks.memory import peak_memory
from benchmarks.sizes import backbone_name, image_size
from promptreid.config.hardware import HardwareConfig
from promptreid.config.model import HeadConfig
from promptreid.config.stage import StageConfig
from promptreid.inference.device import pick_device, resolve_precision
from promptreid.inference.run_context import RunContext
from promptreid.losses.loss_inputs import BatchFeatures
from promptreid.models.heads.head import Head, HeadShape
from promptreid.models.reid import ReIDModel, tower_widths
from promptreid.models.towers.backbone import build_backbone
from promptreid.models.towers.text_tower import AbsentText
from promptreid.training.batches.stage_batches import DrawnBatch
from promptreid.training.stage.learning_parts import set_learning
from promptreid.training.stage.optimizer import build_optimizer
from promptreid.training.step.training_step import TrainingStep

ROWS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "as it is": {},
        "checkpointing": {"checkpointing": True},
        "accumulate-2": {"accumulate": 2},
        "accumulate-4": {"accumulate": 4},
        "accumulate-4-checkpointing": {"accumulate": 4, "checkpointing": True},
        "compile": {"compile": True},
        "compile-checkpointing": {"compile": True, "checkpointing": True},
    }
)
"""Settings of `hardware` by the name of their row."""

_EACH = 4  # images of an identity


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(ROWS)))
@click.option("--precision", default="auto", show_default=True)
@click.option("--images", default=32, show_default=True)
@click.option("--device")
@click.option("--quick", is_flag=True)
def main(
    names: tuple[str, ...], precision: str, images: int, device: str | None, quick: bool
) -> None:
    """Print a row for each setting: the first step, a later one, and the peak of its memory."""
    settings = Settings(quick=quick, threads=default_cores(), device=pick_device(device))
    torch.set_num_threads(settings.threads)
    precision = resolve_precision(precision, settings.device)
    click.echo(f"{images} images, {precision}, {describe_device(settings, settings.threads)}")
    for name in names or ROWS:
        hardware = HardwareConfig.model_validate(ROWS[name])
        first, later, memory, loss = measure(hardware, precision, images, settings)
        shown = "" if memory is None else f"{memory / 2**20:,.0f} MiB"
        click.echo(
            f"{name:28} first {first:6.1f} s  later {later:6.2f} s  {shown:>12}  loss {loss:.6f}"
        )


def measure(
    hardware: HardwareConfig, precision: str, images: int, settings: Settings
) -> tuple[float, float, int | None, float]:
    """Take three steps of CLIP-ReID's second stage without texts.

    Args:
        hardware: How they use memory.
        precision: Number type.
        images: Images of a batch.
        settings: Device and sizes.

    Returns:
        Seconds of the first step and of the faster one of two later ones; the peak memory of these
        in bytes, above weights, gradients and moments (None where unknown); the loss of the last.
    """
    step, draw = build_step(hardware, precision, images, settings)
    begun = time.perf_counter()
    step.take(1, range(1), draw, bank=None)
    first, later, peaks, loss = time.perf_counter() - begun, [], [], 0.0
    for _ in range(2):
        gc.collect()
        with peak_memory(settings.device) as peak:
            begun = time.perf_counter()
            report = step.take(1, range(1), draw, bank=None)
            loss = report.sums[0][0].item() / images  # waits for the device
            later.append(time.perf_counter() - begun)
        peaks.append(peak.bytes)
    known = [peak for peak in peaks if peak is not None]
    return first, min(later), max(known) if known else None, loss


def build_step(
    hardware: HardwareConfig, precision: str, images: int, settings: Settings
) -> tuple[TrainingStep, Any]:
    """Build what takes a step, and what draws its batch of noise; arguments as in `measure`."""
    people = images // _EACH
    config = StageConfig.model_validate(
        {
            "name": "image",
            "learns": ["image", "head"],
            "losses": {"id": 0.25, "triplet": 1},
            "batch": {"identities": people, "images": _EACH},
            "optimizer": {"name": "adam", "lr": 5e-6},
        }
    )
    size = image_size(settings)
    backbone = build_backbone(backbone_name(settings), pretrained="none", image_size=size)
    backbone.text = AbsentText()
    head = Head(HeadConfig(), HeadShape(identities=751), tower_widths(backbone, None, None))
    model = ReIDModel(backbone, head=head).to(settings.device)
    backbone.run_blocks(
        compiled=hardware.compile, checkpointed=hardware.checkpointing, say=click.echo
    )
    named = set_learning(model, config.learns)
    context = RunContext(settings.device, precision, hardware=hardware)
    step = TrainingStep(
        config,
        model,
        [parameter for _, parameter in named],
        optimizer=build_optimizer(named, config.optimizer),
        states=nn.ModuleDict(),
        average=None,
        domains=None,
        context=context,
    )
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(images, 3, *size, generator=generator).to(settings.device)
    labels = torch.arange(people).repeat_interleave(_EACH)

    def features() -> BatchFeatures:
        with context.forward():
            tower = model.features(pixels)
            derived = model.derived(tower, training=True)
        return BatchFeatures(
            labels=labels.to(settings.device),
            host_labels=labels,
            projected=tower.projected,
            features=derived,
            host_variants=torch.zeros_like(labels),
            images=pixels,
        )

    return step, lambda: DrawnBatch(images, features)


if __name__ == "__main__":
    main()
