"""Pictures in Parquet files: a column of their bytes, and columns of what is known of each.

The bytes stand in a column of binary values, or of structs with `bytes` and `path` as Hugging Face
writes images. `identity`, `camera`, `view`, `domain` and `split` are known; other columns of texts
and numbers become attributes; `path` is what a picture is called.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from promptreid.data.images.image_files import LARGEST_FILE, UnreadableImage
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.packed.image_table import ImageTable
from promptreid.data.packed.labelled_row import label_row
from promptreid.data.tables.arrow_import import import_pyarrow
from promptreid.errors import DataError, parsing

_GROUPS_KEPT = 3


def open_parquets(spec: str, root: Path, files: Sequence[Path]) -> ImageTable:
    """Open the pictures of Parquet files; all columns but that of the bytes are read.

    Args:
        spec: What they were named by.
        root: The folder that paths are written from.
        files: The files, in the order of the rows.

    Raises:
        DataError: A file is no Parquet file, has no column of bytes or several, there is no row, or
            pyarrow is not installed.
    """
    import_pyarrow()
    samples, columns = [], _PictureBytes()
    for file in files:
        with parsing(DataError, f"{file} cannot be read as Parquet"):
            names, rows = columns.add(file)
        start = file.relative_to(root).as_posix()
        for number, (name, values) in enumerate(zip(names, rows, strict=True)):
            own = name or f"row-{number:09d}"
            samples.append(label_row(f"{start}/{own.strip('/')}", values))
    if not samples:
        raise DataError(f"There is no row in the Parquet files of {spec}.")
    manifest = Manifest.of(root.name or "parquet", root, samples)
    return ImageTable(spec, manifest, lambda row: columns.read(row, manifest.path(row)))


@dataclass(eq=False)
class _PictureBytes:
    """Bytes of pictures by row, of which a few groups of rows are in memory."""

    groups: list[tuple[Path, int, str, bool]] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    kept: OrderedDict[int, Any] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, file: Path) -> tuple[list[str | None], list[dict[str, Any]]]:
        """Take the rows of a file behind those there are; return their names and labels."""
        arrow, parquet = import_pyarrow()
        opened = parquet.ParquetFile(file)
        schema = opened.schema_arrow
        column, struct = _find_pictures(file, schema, arrow)
        end = self.ends[-1] if self.ends else 0
        for group in range(opened.num_row_groups):
            end += opened.metadata.row_group(group).num_rows
            self.groups.append((file, group, column, struct))
            self.ends.append(end)
        others = [name for name in schema.names if name != column]
        rows = opened.read(others).to_pylist()
        names = [row.get("path") for row in rows]
        if struct and "path" not in others:
            paths = opened.read([f"{column}.path"]).column(column).to_pylist()
            names = [None if cell is None else cell.get("path") for cell in paths]
        return names, rows

    def read(self, row: int, place: Path) -> bytes:
        """Return the bytes of a row.

        Raises:
            UnreadableImage: There are none, or the file cannot be read any more.
        """
        group = int(np.searchsorted(self.ends, row, side="right"))
        first = self.ends[group - 1] if group else 0
        try:
            data = self._load(group)[row - first].as_py()
        except Exception as error:  # pyarrow raises many kinds for a damaged file
            raise UnreadableImage(place, str(error).rstrip(".") or type(error).__name__) from error
        if not data:
            raise UnreadableImage(place, "the file is empty")
        if len(data) > LARGEST_FILE:
            raise UnreadableImage(place, f"it has more than {LARGEST_FILE >> 20} MiB")
        return data

    def _load(self, group: int) -> Any:
        with self.lock:
            if group not in self.kept:
                file, number, column, struct = self.groups[group]
                parquet = import_pyarrow()[1]
                name = f"{column}.bytes" if struct else column
                with parquet.ParquetFile(file) as opened:
                    cells = opened.read_row_group(number, columns=[name]).column(column)
                cells = cells.combine_chunks()
                self.kept[group] = cells.field("bytes") if struct else cells
                while len(self.kept) > _GROUPS_KEPT:
                    self.kept.popitem(last=False)
            self.kept.move_to_end(group)
            return self.kept[group]


def _find_pictures(file: Path, schema: Any, arrow: Any) -> tuple[str, bool]:
    """Find the column of the bytes, and say whether it is one of structs."""

    def holds_bytes(kind: Any) -> bool:
        return arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind)

    structs = [
        entry.name
        for entry in schema
        if arrow.types.is_struct(entry.type)
        and any(part.name == "bytes" and holds_bytes(part.type) for part in entry.type)
    ]
    found = structs + [entry.name for entry in schema if holds_bytes(entry.type)]
    if len(found) != 1:
        got = f"the columns {', '.join(found)} of bytes" if found else "no column of bytes"
        raise DataError(
            f"{file} has {got}; it must have one, binary or a struct with bytes. Its columns are "
            f"{', '.join(schema.names)}."
        )
    return found[0], bool(structs)
