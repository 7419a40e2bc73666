"""A shard as a Parquet file, the same bytes for the same content, and the marker of its end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from promptreid.data.images.boxes import BOX_COLUMN
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.manifest_files import table_columns
from promptreid.data.tables.arrow_import import import_pyarrow
from promptreid.errors import DataError, RunError
from promptreid.files import replacing, write_json
from promptreid.inference.shards.compute_shard import ShardContent
from promptreid.json_record import JsonRecord

ROW, HASH, VECTOR = "row", "image_sha256", "vector"
OWN_COLUMNS = (ROW, HASH, VECTOR)
"""Columns of a shard beside those of the manifest."""

SHARD_FOLDER = "shards"
_PIECE = 1 << 20


@dataclass(frozen=True)
class UnreadableRow(JsonRecord):
    """An image that was left out.

    Attributes:
        row: Its row in the table.
        image: What it is called.
        reason: What is wrong with it.
    """

    row: int
    image: str
    reason: str


@dataclass(frozen=True)
class ShardEntry(JsonRecord):
    """A shard that is done.

    Attributes:
        file: Its name in the folder of shards.
        first: First row of its range.
        stop: The row after its range.
        images: Images in it.
        bytes: Size of the file.
        sha256: Of its content.
        unreadable: Images of the range that could not be read.
    """

    file: str
    first: int
    stop: int
    images: int
    bytes: int
    sha256: str
    unreadable: tuple[UnreadableRow, ...] = ()


def check_columns(manifest: Manifest) -> None:
    """Raise `DataError` where an attribute has the name of a column that shards add."""
    taken = sorted(set(manifest.attributes) & set(OWN_COLUMNS))
    if taken:
        raise DataError(
            f"The data have the column {taken[0]}, which embeddings add themselves. Give it "
            "another name."
        )


def write_shard(
    out: Path, name: str, rows: range, manifest: Manifest, content: ShardContent
) -> ShardEntry:
    """Write a shard and, once it is on the disk, the marker that it is done.

    Args:
        out: The folder of the job.
        name: Name of the shard's files, without ending.
        rows: Its range of rows.
        manifest: All rows.
        content: What was computed of them.

    Returns:
        What the marker says.
    """
    folder = out / SHARD_FOLDER
    path = folder / f"{name}.parquet"
    for leftover in folder.glob(f".{name}.*.tmp"):  # of a killed process: this one has the shard
        leftover.unlink(missing_ok=True)
    columns = _select_columns(manifest, rows, content)
    with replacing(path) as temporary:
        _fill(temporary, columns, content)
        size, digest = temporary.stat().st_size, hash_file(temporary)
    entry = ShardEntry(
        file=path.name,
        first=rows.start,
        stop=rows.stop,
        images=len(content.rows),
        bytes=size,
        sha256=digest,
        unreadable=tuple(
            UnreadableRow(row, str(error.path), error.reason) for row, error in content.unreadable
        ),
    )
    write_json(path.with_suffix(".json"), entry.to_dict())
    return entry


def read_marker(out: Path, name: str) -> ShardEntry | None:
    """Read the marker of a shard; None where the shard is not done.

    A shard whose file is gone or has another size counts as not done.

    Raises:
        RunError: The marker is damaged.
    """
    path = out / SHARD_FOLDER / f"{name}.json"
    try:
        entry = ShardEntry.from_dict(json.loads(path.read_text(encoding="utf-8")))
        size = path.with_suffix(".parquet").stat().st_size
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read: {error}. Remove it, and the same command makes its shard anew."
        ) from error
    return entry if size == entry.bytes else None


def _select_columns(
    manifest: Manifest, rows: range, content: ShardContent
) -> dict[str, list[str | None]]:
    """Return the manifest's columns of the images of a shard; all shards have the same ones."""
    columns = table_columns(manifest.select(rows))
    if any(manifest.boxes):
        columns.setdefault(BOX_COLUMN, (None,) * len(rows))
    places = (content.rows - rows.start).tolist()
    ordered = sorted(columns, key=lambda name: name == BOX_COLUMN)
    return {name: [columns[name][place] for place in places] for name in ordered}


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _fill(path: Path, columns: Mapping[str, Sequence[str | None]], content: ShardContent) -> None:
    arrow, parquet = import_pyarrow()
    vectors = np.ascontiguousarray(content.vectors, dtype=np.float32)
    item = arrow.field("element", arrow.float32(), nullable=False)
    arrays: dict[str, Any] = {ROW: arrow.array(content.rows, arrow.int64())}
    arrays |= {name: arrow.array(cells, arrow.string()) for name, cells in columns.items()}
    arrays[HASH] = arrow.array(content.hashes, arrow.string())
    kind = arrow.list_(item, vectors.shape[1])
    arrays[VECTOR] = arrow.FixedSizeListArray.from_arrays(
        arrow.array(vectors.reshape(-1)), type=kind
    )
    fields = [arrow.field(name, cells.type) for name, cells in arrays.items()]
    table = arrow.Table.from_arrays(list(arrays.values()), schema=arrow.schema(fields))
    # All that decides on bytes is said here, so that no default of another release does.
    parquet.write_table(
        table,
        path,
        version="2.6",
        data_page_version="1.0",
        compression={name: "zstd" for name in arrays if name != VECTOR},
        use_dictionary=[name for name in columns if name != "path"],
        write_statistics=[ROW],
        row_group_size=max(1, len(vectors)),
    )
