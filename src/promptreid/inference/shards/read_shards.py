"""Read a folder of shards, one shard at a time, each checked against its hash."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from promptreid.data.tables.arrow_import import import_pyarrow
from promptreid.errors import RunError
from promptreid.inference.shards.embed_shards import MANIFEST_FILE
from promptreid.inference.shards.shard_file import (
    HASH,
    OWN_COLUMNS,
    ROW,
    SHARD_FOLDER,
    VECTOR,
    ShardEntry,
    UnreadableRow,
    hash_file,
)
from promptreid.inference.shards.shard_job import ShardJob, read_job


@dataclass(frozen=True, eq=False)
class ShardRows:
    """The n images of one shard.

    Attributes:
        rows: (n,) int64 rows in the table of all images, ascending.
        vectors: (n, width) float32 rows of length 1, not to be written to.
        columns: What the table says of each image, by column; None where unknown.
        hashes: SHA-256 in hex of each image's file.
    """

    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]
    columns: Mapping[str, tuple[str | None, ...]]
    hashes: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.rows)


@dataclass(frozen=True)
class ShardedEmbeddings:
    """Embeddings in a folder of shards that is complete; nothing of them is in memory.

    Attributes:
        folder: The folder.
        job: What was embedded, and how.
        entries: Its shards, in the order of their rows.
    """

    folder: Path
    job: ShardJob
    entries: tuple[ShardEntry, ...]

    def __len__(self) -> int:
        """Return the number of images with a vector."""
        return sum(entry.images for entry in self.entries)

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return self.job.width

    @property
    def unreadable(self) -> tuple[UnreadableRow, ...]:
        """Images that could not be read and were left out."""
        return tuple(row for entry in self.entries for row in entry.unreadable)

    def __iter__(self) -> Iterator[ShardRows]:
        """Give one shard after the other, in the order of the rows.

        Raises:
            RunError: The file of a shard is gone, or is not what was written.
        """
        return (self.read(entry) for entry in self.entries)

    def read(self, entry: ShardEntry) -> ShardRows:
        """Read one shard whose bytes are those that were written.

        Raises:
            RunError: The file is gone, or is not what was written.
        """
        path = self.folder / SHARD_FOLDER / entry.file
        try:
            digest = hash_file(path)
        except OSError as error:
            raise RunError(f"The shard {path} cannot be read: {error.strerror}.") from error
        if digest != entry.sha256:
            raise RunError(
                f"The shard {path} is not what was written: its SHA-256 is {digest[:12]}…, and "
                f"{entry.sha256[:12]}… was written. Remove it, and the command that made the "
                "folder makes it anew."
            )
        table = import_pyarrow()[1].read_table(path)
        names = [name for name in table.column_names if name not in OWN_COLUMNS]
        flat = table.column(VECTOR).combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return ShardRows(
            rows=table.column(ROW).to_numpy(),
            vectors=flat.reshape(len(table), self.width),
            columns={name: tuple(table.column(name).to_pylist()) for name in names},
            hashes=tuple(table.column(HASH).to_pylist()),
        )


def read_shards(folder: Path | str) -> ShardedEmbeddings:
    """Open the embeddings that `promptreid embed` made; vectors are read shard by shard.

    Args:
        folder: The folder of the job.

    Raises:
        RunError: It is no such folder, it is not complete, or its manifest is damaged.
        DataError: pyarrow is not installed.

    Example:
        >>> embeddings = read_shards("vectors")
        >>> for part in embeddings:
        ...     paths, vectors = part.columns["path"], part.vectors
    """
    folder = Path(folder)
    import_pyarrow()
    job = read_job(folder)
    path = folder / MANIFEST_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = tuple(ShardEntry.from_dict(entry) for entry in content["shards"])
    except FileNotFoundError:
        raise RunError(
            f"{folder} is not complete: it has no {MANIFEST_FILE} yet. The command that began it "
            "goes on where it is."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} cannot be read: {error}.") from error
    return ShardedEmbeddings(folder, job, entries)
