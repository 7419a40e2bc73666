"""How long an export to ONNX takes, and how fast onnxruntime computes the file beside PyTorch.

    python -m benchmarks.exported FILE.onnx [--backbone ViT-B-16] [--half] [--threads 2]

Weights are drawn, which costs the same. FILE is written, and its writing timed, where it is not
there yet, so that the speeds can be measured again alone. Each of them is the median of turns that
all take one after another; processor seconds do not change with what else the machine does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median

import click
import torch
from torch import Tensor

from promptreid.config.model import EmbeddingConfig
from promptreid.data.images.preprocess import Preprocess
from promptreid.inference.device import is_bf16_native
from promptreid.inference.embedding_loop import embed_images
from promptreid.inference.exporting.export_model import export_model
from promptreid.inference.exporting.export_options import ExportOptions
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import build_backbone
from promptreid.models.towers.precision import in_precision
from promptreid.models.towers.reduced import can_reduce
from promptreid.models.towers.text_tower import AbsentText
from promptreid.torch_threads import torch_threads

BATCHES = 1, 16
"""Images that are computed at a time."""
_PEOPLE = (256, 128)  # height and width of images

Ways = Mapping[str, Callable[[int], object]]
"""Name of a way to compute vectors to a function that computes those of so many images."""


def draw_model(name: str, image_size: tuple[int, int]) -> tuple[ReIDModel, CheckpointInfo]:
    """Build a model with random weights, and what its checkpoint would say."""
    backbone = build_backbone(name, pretrained="none", image_size=image_size)
    backbone.text = AbsentText()
    info = CheckpointInfo(preprocess=replace(backbone.native, image_size=image_size))
    return ReIDModel(backbone, embedding=EmbeddingConfig()).eval(), info


def time_export(
    model: ReIDModel, info: CheckpointInfo, file: Path, *, half: bool
) -> dict[str, float]:
    """Write a file; return seconds, processor seconds and MB."""
    began, used = time.perf_counter(), time.process_time()
    export_model(model, info, file, ExportOptions(half=half))
    return {
        "seconds": time.perf_counter() - began,
        "processor seconds": time.process_time() - used,
        "MB": file.stat().st_size / 1e6,
    }


def list_ways(model: ReIDModel, preprocess: Preprocess, file: Path, threads: int) -> Ways:
    """Return how vectors are computed: by PyTorch in each number type, and by onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(max(BATCHES), 3, *preprocess.image_size, generator=generator)
    raw = (255 * pixels).numpy()
    ways: dict[str, Callable[[int], object]] = {
        "onnxruntime": lambda count: session.run(None, {"images": raw[:count]})[0],
        "PyTorch fp32": lambda count: _embed(model, pixels[:count]),
    }
    if can_reduce(model.backbone.image) and is_bf16_native(torch.device("cpu")):
        small = in_precision(model, "bf16")
        ways["PyTorch bf16"] = lambda count: _embed(small, pixels[:count])
    return ways


@torch.no_grad()
def _embed(model: ReIDModel, pixels: Tensor) -> Tensor:
    return embed_images(model, pixels)


def time_ways(ways: Ways, count: int, turns: int) -> dict[str, float]:
    """Return the median seconds that each way needs for an image, `count` at a time."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):  # the first one warms up
        for name, compute in ways.items():
            began = time.perf_counter()
            compute(count)
            if turn:
                seconds[name].append((time.perf_counter() - began) / count)
    return {name: median(times) for name, times in seconds.items()}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--backbone", default="ViT-B-16", show_default=True, help="An OpenCLIP architecture.")
@click.option("--size", nargs=2, default=_PEOPLE, show_default=True, help="Height and width.")
@click.option("--half", is_flag=True, help="Write a file of 16 bits.")
@click.option("--threads", default=2, show_default=True, help="Threads that compute.")
@click.option("--turns", default=5, show_default=True, help="Timed turns.")
def main(
    file: Path, backbone: str, size: tuple[int, int], half: bool, threads: int, turns: int
) -> None:
    """Time the export of a model to FILE, unless it is there, and the ways to compute vectors."""
    with torch_threads(threads):
        model, info = draw_model(backbone, size)
        if not file.exists():
            measured = time_export(model, info, file, half=half)
            click.echo("export: " + ", ".join(f"{v:.1f} {name}" for name, v in measured.items()))
        ways = list_ways(model, info.preprocess, file, threads)
        for count in BATCHES:
            for name, each in time_ways(ways, count, turns).items():
                click.echo(f"batch of {count:2}  {name:14} {1000 * each:7.1f} ms an image")


if __name__ == "__main__":
    main()
