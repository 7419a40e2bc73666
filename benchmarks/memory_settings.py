"""What `accumulate`, `checkpointing` and `compile` cost: time and memory of a step with each.

    python -m benchmarks.memory_settings [NAME]... [--precision bf16] [--images 32] [--quick]

There is no plain side: loss and gradient are the same in every row, but for rounding.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import click
import torch

from benchmarks.compare import Settings, describe_device
from benchmarks.memory import peak_memory
from benchmarks.sizes import backbone_name, image_size
from benchmarks.tower_step import build_tower_step
from promptreid.config.hardware import HardwareConfig
from promptreid.inference.device import pick_device, resolve_precision
from promptreid.inference.run_context import RunContext
from promptreid.models.towers.backbone import build_backbone
from promptreid.models.towers.text_tower import AbsentText
from promptreid.processor import count_cores
from promptreid.torch_threads import torch_threads
from promptreid.training.step.training_step import StepReport

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
    settings = Settings(quick=quick, threads=count_cores(), device=pick_device(device))
    precision = resolve_precision(precision, settings.device)
    click.echo(f"{images} images, {precision}, {describe_device(settings, settings.threads)}")
    for name in names or ROWS:
        hardware = HardwareConfig.model_validate(ROWS[name])
        with torch_threads(settings.threads):
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
    step = _build_step(hardware, precision, images, settings)
    begun = time.perf_counter()
    step()
    first, later, peaks, loss = time.perf_counter() - begun, [], [], 0.0
    for _ in range(2):
        gc.collect()
        with peak_memory(settings.device) as peak:
            begun = time.perf_counter()
            report = step()
            loss = report.sums[0][0].item() / images  # waits for the device
            later.append(time.perf_counter() - begun)
        peaks.append(peak.bytes)
    known = [peak for peak in peaks if peak is not None]
    return first, min(later), max(known) if known else None, loss


def _build_step(
    hardware: HardwareConfig, precision: str, images: int, settings: Settings
) -> Callable[[], StepReport]:
    """Build what takes a step over noise; arguments as in `measure`."""
    size = image_size(settings)
    backbone = build_backbone(backbone_name(settings), pretrained="none", image_size=size)
    backbone.text = AbsentText()
    context = RunContext(settings.device, precision, hardware=hardware)
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(images, 3, *size, generator=generator).to(settings.device)
    return build_tower_step(backbone, context, pixels, click.echo)


if __name__ == "__main__":
    main()
