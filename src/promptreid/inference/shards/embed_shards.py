"""Embed a table of images into a folder of shards: from nothing, or from where a process died."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.images.readable import list_unreadable
from promptreid.data.packed.image_table import ImageTable
from promptreid.errors import DataError
from promptreid.files import write_json
from promptreid.inference.embedder import Embedder
from promptreid.inference.shards.shard_file import (
    ShardEntry,
    UnreadableRow,
    read_marker,
)
from promptreid.inference.shards.shard_job import JOB_FILE, ShardJob, ShardOptions
from promptreid.inference.shards.shard_plan import WorkShare
from promptreid.inference.shards.shard_worker import ShardWorker
from promptreid.progress import Progress, Silent
from promptreid.progress.counted_task import counting
from promptreid.text.lists import counted

MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True)
class ShardsDone:
    """How far a folder of shards is when a process has done its part.

    Attributes:
        job: What the folder holds.
        made: Shards that this process computed.
        done: All shards that are done, in order, those of other processes too.
        missing: Number of shards that other processes still have to compute.
    """

    job: ShardJob
    made: int
    done: tuple[ShardEntry, ...]
    missing: int

    @property
    def images(self) -> int:
        """Images in the shards that are done."""
        return sum(entry.images for entry in self.done)

    @property
    def unreadable(self) -> tuple[UnreadableRow, ...]:
        """Images of these shards that were left out."""
        return tuple(row for entry in self.done for row in entry.unreadable)


def embed_shards(
    embedder: Embedder,
    table: ImageTable,
    out: Path,
    *,
    options: ShardOptions | None = None,
    share: WorkShare | None = None,
    unreadable: str = "stop",
    progress: Progress | None = None,
) -> ShardsDone:
    """Embed images into Parquet files of so many rows each, and leave out those that are done.

    The bytes of a shard hang on the job alone (`ShardJob`) and on the kind of processor or card,
    whoever computes it and however often it was begun before. A process that ends early, by
    whatever signal, loses the shard it was at; the same call goes on behind the others. Whoever
    finds all shards done writes `manifest.json` with their hashes.

    Args:
        embedder: The model.
        table: The images.
        out: Folder of the shards, shared by all processes of the job.
        options: How images are embedded.
        share: Which part of the shards this process computes; None for all of them.
        unreadable: "stop" raises at the first shard with images that cannot be read; "skip" leaves
            them out, and the shard's marker and the manifest name them.
        progress: Where to report.

    Returns:
        What is done.

    Raises:
        DataError: Images cannot be read and are not to be skipped; no image of a whole job can be
            read; pyarrow is not installed.
        RunError: The folder was begun as another job, or is damaged.
        ConfigError: A kind of sentence is asked for that the model does not have.
    """
    options, share, progress = options or ShardOptions(), share or WorkShare(), progress or Silent()
    with progress.doing("hashing the model and the table of images"):
        worker = ShardWorker.begin(embedder, table, out, options=options, unreadable=unreadable)
    for sentence in table.lost:
        progress.message(f"skipping what is not there: {sentence}")
    job = worker.job
    plan = job.plan
    missing = [shard for shard in share.shards(plan) if read_marker(out, plan.name(shard)) is None]
    kept = len(share.shards(plan)) - len(missing)
    if kept:
        progress.message(f"{kept:,} of {counted(kept + len(missing), 'shard')} are there already")
    images = sum(len(plan.shard_range(shard)) for shard in missing)
    with counting(progress, f"embedding {table.manifest.name}", images, "images"):
        for shard in missing:
            worker.make(shard, progress)
    return finish_shards(out, job, made=len(missing))


def finish_shards(out: Path, job: ShardJob, *, made: int) -> ShardsDone:
    """See what is done of a job, and write the manifest of its hashes where all is.

    Raises:
        DataError: All is done, and no image could be read.
    """
    plan = job.plan
    entries = [read_marker(out, plan.name(shard)) for shard in range(len(plan))]
    done = ShardsDone(
        job,
        made,
        tuple(entry for entry in entries if entry is not None),
        sum(entry is None for entry in entries),
    )
    if done.missing:
        return done
    if job.rows and not done.images:
        raise DataError(
            f"None of the {job.rows:,} images of {job.data} can be read:\n"
            f"{list_left_out(done.unreadable)}"
        )
    for leftover in (*out.glob(f".{JOB_FILE}.*.tmp"), *out.glob(f".{MANIFEST_FILE}.*.tmp")):
        leftover.unlink(missing_ok=True)
    try:
        _write_manifest(out, done)
    except FileNotFoundError:  # another process that finishes now took it for a leftover
        _write_manifest(out, done)
    return done


def _write_manifest(out: Path, done: ShardsDone) -> None:
    content = {
        "rows": done.job.rows,
        "images": done.images,
        "unreadable": len(done.unreadable),
        "shards": [entry.to_dict() for entry in done.done],
    }
    write_json(out / MANIFEST_FILE, content)


def list_left_out(rows: Sequence[UnreadableRow]) -> str:
    """Name the first of several images that were left out, a line each, and count the others."""
    return list_unreadable([UnreadableImage(Path(row.image), row.reason) for row in rows])
