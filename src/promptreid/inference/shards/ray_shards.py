"""Embed on Ray: a pipeline of Ray Data hands shards to workers, each of which has the model."""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from promptreid import errors
from promptreid.data.packed.image_table import ImageTable
from promptreid.data.packed.open_table import open_table
from promptreid.errors import ConfigError, PromptReIDError
from promptreid.inference.load import load
from promptreid.inference.shards.embed_shards import ShardsDone, finish_shards
from promptreid.inference.shards.shard_file import read_marker
from promptreid.inference.shards.shard_job import ShardJob, ShardOptions, begin_job, read_job
from promptreid.inference.shards.shard_plan import ShardPlan
from promptreid.inference.shards.shard_worker import ShardWorker
from promptreid.progress import Progress, Silent
from promptreid.progress.counted_task import counting


@dataclass(frozen=True)
class RayRequest:
    """What a worker on another machine needs to begin.

    Attributes:
        model: Path of the run or checkpoint, the same on all machines.
        spec: The images, likewise.
        out: Folder of the shards, which all machines share.
        options: How images are embedded.
        precision: Number type of the model's matrices.
        device: Where a worker computes; None for a card where Ray gives it one, else the CPU.
        unreadable: "stop" or "skip".
    """

    model: str
    spec: str
    out: str
    options: ShardOptions
    precision: str = "fp32"
    device: str | None = None
    unreadable: str = "stop"


def embed_on_ray(
    request: RayRequest, *, workers: int, progress: Progress | None = None
) -> ShardsDone:
    """Embed images into shards by so many workers of a Ray cluster, as `embed_shards` does.

    A Ray that runs is used, by `RAY_ADDRESS` or `ray.init` before; else one is started on this
    machine and stopped again. A worker has a card where the cluster has any and `device` does not
    say otherwise, and as many processor cores as the options ask for threads. The shard of a worker
    that dies is begun again by another.

    Args:
        request: What to embed.
        workers: Number of workers.
        progress: Where to report.

    Returns:
        What is done.

    Raises:
        ConfigError: Ray is not installed.
        PromptReIDError: As `embed_shards`, from a worker.
    """
    progress = progress or Silent()
    ray = _import_ray()
    out = Path(request.out)
    with progress.doing("counting the images"):
        table = open_table(request.spec)
    plan = ShardPlan(len(table), request.options.shard_rows)
    missing = [n for n in range(len(plan)) if read_marker(out, plan.name(n)) is None]
    if not missing:
        _check_same_job(request, table, out)
    else:
        started = not ray.is_initialized()
        if started:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        try:
            _run(ray, request, missing, plan, workers, progress)
        finally:
            if started:
                ray.shutdown()
    return finish_shards(out, read_job(out), made=len(missing))


def _check_same_job(request: RayRequest, table: ImageTable, out: Path) -> None:
    """Refuse a complete folder of another job; what is incomplete is refused by the workers.

    Where the workers computed does not count here, nor the number type that follows from it.
    """
    begun = read_job(out)
    precision = begun.precision if request.precision == "auto" else request.precision
    embedder = load(request.model, device="cpu", precision=precision)
    asked = replace(ShardJob.of(embedder, table, request.options), device=begun.device)
    begin_job(out, asked, threads_given=request.options.threads is not None)


def _run(
    ray: ModuleType,
    request: RayRequest,
    missing: list[int],
    plan: ShardPlan,
    workers: int,
    progress: Progress,
) -> None:
    """Let workers compute shards, and report each as it is done."""
    cards = ray.cluster_resources().get("GPU", 0) > 0
    cards = cards and (request.device or "cuda").startswith("cuda")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it logs its plan beside our progress
    shards = ray.data.from_items([{"shard": n} for n in missing], override_num_blocks=len(missing))
    made = shards.map(
        RayShardWorker,
        fn_constructor_args=(request,),
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(missing))),
        num_cpus=request.options.threads or 1,
        num_gpus=1 if cards else 0,
    )
    images = sum(len(plan.shard_range(shard)) for shard in missing)
    with counting(progress, f"embedding {request.spec}", images, "images"):
        for row in made.iter_rows():
            if row["error"]:
                raise getattr(errors, row["kind"], PromptReIDError)(row["error"])
            progress.advance(row["rows"])


class RayShardWorker:
    """A worker: it has the model and the table, and makes one shard after the other."""

    def __init__(self, request: RayRequest) -> None:
        self._request = request
        self._worker: ShardWorker | None = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Make the shard of a row, and say in words what is wrong where it cannot be made."""
        try:
            entry = self._begun().make(int(row["shard"]), Silent())
        except PromptReIDError as error:
            return {"rows": 0, "error": str(error), "kind": _name_kind(error)}
        return {"rows": entry.stop - entry.first, "error": "", "kind": ""}

    def _begun(self) -> ShardWorker:
        if self._worker is None:
            asked = self._request
            self._worker = ShardWorker.begin(
                load(asked.model, device=asked.device, precision=asked.precision),
                open_table(asked.spec),
                Path(asked.out),
                options=asked.options,
                unreadable=asked.unreadable,
            )
        return self._worker


def _name_kind(error: PromptReIDError) -> str:
    """Name the kind of an error that takes a sentence and nothing else."""
    return next(kind.__name__ for kind in type(error).__mro__ if hasattr(errors, kind.__name__))


def _import_ray() -> ModuleType:
    try:
        importlib.import_module("ray.data")
        return importlib.import_module("ray")
    except ImportError as error:
        raise ConfigError(
            "Embedding on Ray needs Ray: pip install 'promptreid[ray]'. Without it torchrun and "
            "--shard share the work among processes."
        ) from error
