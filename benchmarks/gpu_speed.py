"""How fast a card trains and embeds, by architecture, number type and use of memory."""

from __future__ import annotations

import contextlib
import gc
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_rows import Run, matrix_products
from benchmarks.memory import peak_memory
from benchmarks.peak import peak_operations
from benchmarks.tower_step import build_tower_step
from promptreid.config.hardware import HardwareConfig
from promptreid.config.model import EmbeddingConfig
from promptreid.errors import is_out_of_memory
from promptreid.inference.embedding_loop import embed_images
from promptreid.inference.run_context import RunContext
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import build_backbone
from promptreid.models.towers.precision import in_precision
from promptreid.models.towers.reduced import can_reduce
from promptreid.models.towers.text_tower import AbsentText

_STEPS = 5


@dataclass(frozen=True)
class Work:
    """What one row measures.

    Attributes:
        backbone: Name of the dual encoder.
        size: Height and width of images.
        images: Images of a batch.
        trains: Whether steps are taken, or images embedded.
        numbers: "fp32", "tf32", "fp16" or "bf16".
        hardware: Whether blocks are compiled, or computed again.
    """

    backbone: str
    size: tuple[int, int]
    images: int
    trains: bool
    numbers: str
    hardware: HardwareConfig


def list_works(run: Run) -> Iterator[Work]:
    """Give the rows, those without a compiler first, since compiling takes longest."""
    if run.settings.quick:
        shapes = [("tiny", (64, 32), 8), ("RN50", (64, 32), 8)]
    else:
        shapes = [("ViT-B-16", (256, 128), 64), ("ViT-L-14", (252, 126), 64)]
        shapes += [("RN50", (256, 128), 64)]
    kinds = ("fp32", "tf32", "fp16", "bf16") if run.on_card else ("fp32",)
    plain, again = HardwareConfig(), HardwareConfig(checkpointing=True)
    for shape, numbers in itertools.product(shapes, kinds):
        yield Work(*shape, True, numbers, plain)
        yield Work(*shape, False, numbers, plain)
    for shape, numbers in itertools.product(shapes if run.on_card else shapes[:1], kinds[-2:]):
        yield Work(*shape, True, numbers, again)
    if run.on_card:
        for shape, numbers in itertools.product(shapes, kinds[-2:]):
            yield Work(*shape, True, numbers, HardwareConfig(compile=True))
            yield Work(*shape, True, numbers, HardwareConfig(compile=True, checkpointing=True))


def measure_speed(run: Run) -> Iterator[Mapping[str, Any]]:
    """Measure images a second, the share of the products' best rate, and peak memory."""
    peaks: dict[str, float] = {}
    for work in list_works(run):
        row = {
            "work": "train" if work.trains else "embed",
            "backbone": work.backbone,
            "images": f"{work.images} of {work.size[0]}x{work.size[1]}",
            "numbers": work.numbers,
            "compile": "yes" if work.hardware.compile else "",
            "checkpointing": "yes" if work.hardware.checkpointing else "",
        }
        if run.is_over:
            yield {**row, "state": "left out: no time"}
            continue
        try:
            with matrix_products(work.numbers):
                if work.numbers not in peaks:
                    peaks[work.numbers] = peak_operations(run.settings, _kind(work.numbers))
                yield {**row, **_measure(work, run, peaks[work.numbers])}
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            yield {**row, "state": "out of memory"}
        gc.collect()
        if run.on_card:
            torch.cuda.empty_cache()


def _measure(work: Work, run: Run, peak: float) -> Mapping[str, Any]:
    said: list[str] = []
    step, operations = _build(work, run, said.append)
    begun = time.perf_counter()
    step()
    _wait(run.device)
    first = time.perf_counter() - begun
    times = []
    with peak_memory(run.device) as memory:
        for _ in range(2 if run.settings.quick else _STEPS):
            begun = time.perf_counter()
            step()
            _wait(run.device)
            times.append(time.perf_counter() - begun)
    seconds = statistics.median(times)
    return {
        "images/s": work.images / seconds,
        "of measured peak": f"{operations / seconds / peak:.0%}",
        "peak memory MiB": None if memory.bytes is None else round(memory.bytes / 2**20),
        "first step s": first,
        "state": "; ".join([run.state, *said]),
    }


def _build(work: Work, run: Run, say: Callable[[str], None]) -> tuple[Callable[[], object], float]:
    """Return what does the work once, and its multiplications and additions."""
    backbone = build_backbone(work.backbone, pretrained="none", image_size=work.size)
    backbone.text = AbsentText()
    pixels = torch.randn(work.images, 3, *work.size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        backbone.image(pixels[:1])
    operations = float(counter.get_total_flops() * work.images)
    pixels = pixels.to(run.device)
    precision = "fp32" if work.numbers == "tf32" else work.numbers
    context = RunContext(run.device, precision, hardware=work.hardware)
    if work.trains:
        # The gradients to input and weight are as much work again, each.
        return build_tower_step(backbone, context, pixels, say), 3 * operations
    model = ReIDModel(backbone, embedding=EmbeddingConfig()).to(run.device).eval()

    # In 16 bits as `promptreid evaluate` embeds; towers that it does not reduce, by autocast.
    small = in_precision(model, precision) if can_reduce(backbone.image) else model
    whole = contextlib.nullcontext() if small is not model else context.forward()

    def embed() -> object:
        with torch.no_grad(), whole:
            return embed_images(small, pixels)

    return embed, operations


def _kind(numbers: str) -> torch.dtype:
    return {"fp16": torch.float16, "bf16": torch.bfloat16}.get(numbers, torch.float32)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
