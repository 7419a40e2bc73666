"""Embed a table of images into a folder of shards: from nothing, or from where a process died."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.images.readable import list_unreadable
from promptreid.data.packed.image_table import ImageTable
from promptreid.errors import DataError
from promptreid.files import write_json
from promptreid.inference.embedder import Embedder
from promptreid.inference.shards.compute_shard import compute_shard
from promptreid.inference.shards.shard_file import (
    ShardEntry,
    UnreadableRow,
    check_columns,
    read_marker,
    write_shard,
)
from promptreid.inference.shards.shard_job import JOB_FILE, ShardJob, ShardOptions, begin_job
from promptreid.inference.shards.shard_plan import WorkShare
from promptreid.progress import Progress, Silent
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
    check_columns(table.manifest)
    _check_lost(table, unreadable, progress)
    with progress.doing("hashing the model and the table of images"):
        asked = ShardJob.of(embedder, table, options)
    job = begin_job(out, asked, threads_given=options.threads is not None)
    plan = job.plan
    missing = [shard for shard in share.shards(plan) if read_marker(out, plan.name(shard)) is None]
    kept = len(share.shards(plan)) - len(missing)
    if kept:
        progress.message(f"{kept:,} of {counted(kept + len(missing), 'shard')} are there already")
    images = sum(len(plan.shard_range(shard)) for shard in missing)
    progress.start(f"embedding {table.manifest.name}", images, "images")
    with _threads(job.threads):
        for shard in missing:
            make_shard(embedder, table, out, job, shard, unreadable=unreadable, progress=progress)
    progress.finish()
    return finish_shards(out, job, made=len(missing))


def make_shard(
    embedder: Embedder,
    table: ImageTable,
    out: Path,
    job: ShardJob,
    shard: int,
    *,
    unreadable: str,
    progress: Progress,
) -> ShardEntry:
    """Compute one shard of a job and write it.

    Raises:
        DataError: Images cannot be read and are not to be skipped.
    """
    rows = job.plan.shard_range(shard)
    content = compute_shard(
        embedder,
        table,
        rows,
        batch_size=job.batch_size,
        flip=job.flip,
        prompt=job.prompt,
        progress=progress,
    )
    if content.unreadable and unreadable == "stop":
        errors = [error for _, error in content.unreadable]
        raise DataError(
            f"{len(errors):,} of rows {rows.start:,} to {rows.stop - 1:,} of {job.data} cannot be "
            f"read:\n{list_unreadable(errors)}\nMend or remove them, or leave them out with "
            "--unreadable skip. What is done stays."
        )
    return write_shard(out, job.plan.name(shard), rows, table.manifest, content)


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


def _check_lost(table: ImageTable, unreadable: str, progress: Progress) -> None:
    """Stop at images that should be there and are not, or say that they are left out."""
    if table.lost and unreadable == "stop":
        raise DataError("\n".join([*table.lost, "Mend or leave them out with --unreadable skip."]))
    for sentence in table.lost:
        progress.message(f"skipping what is not there: {sentence}")


@contextlib.contextmanager
def _threads(number: int) -> Generator[None]:
    """Compute with so many threads of the processor in the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
