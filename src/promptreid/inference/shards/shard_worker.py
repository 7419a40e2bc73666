"""What a process needs to make any shard of a job: the model, the images and the folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from promptreid.data.images.readable import list_unreadable
from promptreid.data.images.unreadable_choice import check_choice
from promptreid.data.packed.image_table import ImageTable
from promptreid.errors import DataError
from promptreid.inference.embedder import Embedder
from promptreid.inference.shards.compute_shard import compute_shard
from promptreid.inference.shards.shard_file import ShardEntry, check_columns, write_shard
from promptreid.inference.shards.shard_job import ShardJob, ShardOptions, begin_job
from promptreid.progress import Progress
from promptreid.torch_threads import torch_threads


@dataclass(frozen=True, eq=False)
class ShardWorker:
    """A process that makes shards of a job.

    Attributes:
        embedder: The model.
        table: The images.
        out: Folder of the shards.
        job: What the folder holds.
        unreadable: "stop" or "skip": what to do with images that cannot be read.
    """

    embedder: Embedder
    table: ImageTable
    out: Path
    job: ShardJob
    unreadable: str

    @classmethod
    def begin(
        cls,
        embedder: Embedder,
        table: ImageTable,
        out: Path,
        *,
        options: ShardOptions,
        unreadable: str,
    ) -> ShardWorker:
        """Begin a job in a folder, or join the one that was begun there.

        Raises:
            ConfigError: `unreadable` is neither.
            DataError: Images that should be there are not, and are not to be skipped; a column of
                the data has the name of one that shards add; pyarrow is not installed.
            RunError: The folder was begun as another job.
        """
        check_choice(unreadable)
        check_columns(table.manifest)
        if table.lost and unreadable == "stop":
            remedy = "Mend or remove them, or leave them out with --unreadable skip."
            raise DataError("\n".join([*table.lost, remedy]))
        asked = ShardJob.of(embedder, table, options)
        job = begin_job(out, asked, threads_given=options.threads is not None)
        return cls(embedder, table, out, job, unreadable)

    def make(self, shard: int, progress: Progress) -> ShardEntry:
        """Compute one shard and write it.

        Raises:
            DataError: Images cannot be read and are not to be skipped.
        """
        job = self.job
        rows = job.plan.shard_range(shard)
        with torch_threads(job.threads):
            content = compute_shard(
                self.embedder,
                self.table,
                rows,
                batch_size=job.batch_size,
                flip=job.flip,
                prompt=job.prompt,
                progress=progress,
            )
        if content.unreadable and self.unreadable == "stop":
            errors = [error for _, error in content.unreadable]
            raise DataError(
                f"{len(errors):,} of rows {rows.start:,} to {rows.stop - 1:,} of {job.data} cannot "
                f"be read:\n{list_unreadable(errors)}\nMend or remove them, or leave them out with "
                "--unreadable skip. What is done stays."
            )
        return write_shard(self.out, job.plan.name(shard), rows, self.table.manifest, content)
