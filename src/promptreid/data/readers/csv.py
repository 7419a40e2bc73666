"""Your own table.

Columns `path` and `identity` are needed; `camera`, `view`, `domain` and `split` are known, and
columns of boxes; all others become attributes. Columns are separated by commas, semicolons, tabs or
`|`. Paths start from the folder of the file. Without a `split` column, identities are drawn for
training and testing. A manifest saved as CSV is such a table. Images of
unknown identity are left out and other cells that mean "not known" are empty; see
`promptreid.data.manifest.unknown_values`.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from promptreid.data.dataset import DataSet
from promptreid.data.folders.layout import describe_contents
from promptreid.data.folders.listed_images import find_listed
from promptreid.data.images.boxes import Box
from promptreid.data.manifest.manifest import Sample
from promptreid.data.manifest.sample_columns import CORE_COLUMNS, SPLITS
from promptreid.data.manifest.unknown_values import (
    NAMES,
    UnknownWords,
    clear_unknown,
    find_known_identities,
    note_unmet_words,
)
from promptreid.data.readers.reader_options import MissingOptions
from promptreid.data.splits.drawn_roles import (
    FlatOptions,
    choose_protocol,
    make_manifest,
    split_samples,
)
from promptreid.data.tables.box_columns import take_boxes
from promptreid.data.tables.repeated_rows import find_distinct_rows
from promptreid.data.tables.table_messages import quote_cell
from promptreid.data.tables.table_reader import Table, read_table
from promptreid.errors import DataError, unknown_name
from promptreid.files import full_path

_LABELS = ("identity", "camera", "view", "domain")
"""Columns in which all rows of one image must agree."""
_DRIVE = re.compile(r"[A-Za-z]:/")


class Options(FlatOptions, MissingOptions):
    """Options of `csv`."""

    boxes: Literal["auto", "cut", "ignore"] = Field(
        "auto",
        description="auto cuts images out of their pictures where columns can hardly mean anything "
        "but boxes (bbox; x_1, y_1, x_2, y_2; left, top, width, height, ...); cut takes columns "
        "such as x, y, w, h for boxes too; ignore uses whole pictures",
    )
    root: Path | None = Field(
        None, description="folder that the paths start from; the folder of the file by default"
    )


def read(file: Path, options: Options) -> DataSet:
    """Read a table of images.

    Raises:
        DataError: When the file cannot be read, a cell is wrong (the line is named), images are
            missing, or training and test share an identity.
    """
    if not file.is_file():
        folder = file if file.is_dir() else file.parent
        there = f" {folder} holds {describe_contents(folder)}." if folder.is_dir() else ""
        raise DataError(f"{file} is not a file; a table with path and identity is needed.{there}")
    table = read_table(file, keys=("path", "identity")).stripped()
    return make_table_data(table, options, name=file.stem)


def make_table_data(table: Table, options: Options, *, name: str) -> DataSet:
    """Make a data set of a table with the columns `path` and `identity`.

    Args:
        table: Rows without space around their cells.
        options: Where images lie, and what roles are drawn.
        name: Name of the data set.

    Raises:
        DataError: As `read`.
    """
    file = table.file
    _check_columns(table)
    table = _without_unknown(table, options.unknown_words)
    root = full_path(options.root) if options.root else file.parent
    paths = [_plain_path(table, row) for row in range(len(table.lines))]
    existing, missing_notes = find_listed(paths, root, missing=options.missing, listed_in=file.name)
    table = table.select([row for row, _ in existing], missing_notes)
    table.columns["path"] = [path for _, path in existing]
    if options.identities == "closed":
        table = _without_enrolled(table)
    table, boxes, hint = take_boxes(table, wanted=options.boxes)
    rows, repeat_notes = _distinct(table, boxes, root, hint)
    samples = [_sample(table, row, boxes[row]) for row in rows]
    split_notes = ()
    if "split" not in table.columns:
        samples, split_notes = split_samples(samples, options, name)
    manifest = make_manifest(name, root, samples, options, source=str(file))
    protocol, protocol_notes = choose_protocol(manifest, options)
    notes = (*table.notes, *repeat_notes, *split_notes, *protocol_notes)
    drawn = "split" not in table.columns and not manifest.closed
    return DataSet(f"csv:{file}", manifest, protocol, notes, own=True, drawn=drawn)


def _without_unknown(table: Table, words: UnknownWords) -> Table:
    """Leave out rows of unknown identity, and empty the other cells that mean "not known"."""
    splits = table.columns.get("split", [""] * len(table.lines))
    known, notes = find_known_identities(
        table.columns["identity"], splits, words, source=str(table.file)
    )
    written = (cell for name in NAMES for cell in table.columns.get(name, ()))
    table = table.select(known, notes + note_unmet_words(words, written))
    cleared: list[str] = []
    for name, cells in table.columns.items():
        if name not in ("path", "identity", "split"):
            values, column_notes = clear_unknown(cells, name, words)
            table.columns[name] = [value or "" for value in values]
            cleared += column_notes
    return table.with_columns(table.columns, tuple(cleared))


def _check_columns(table: Table) -> None:
    for name in ("path", "identity"):
        if name not in table.columns:
            hint = unknown_name("column", name, table.columns)
            raise DataError(
                f"{table.file} needs the columns path and identity. {hint} Rename the column that "
                "holds it in the first line."
            )
    if not table.lines:
        raise DataError(f"{table.file} has a header but no rows.")
    for row, cell in enumerate(table.columns["path"]):
        if not cell:
            raise DataError(f"{table.at(row, 'path')}: the cell is empty.")
    for row, cell in enumerate(table.columns.get("split", ())):
        if cell not in SPLITS:
            raise DataError(f"{table.at(row, 'split')}: {unknown_name('split', cell, SPLITS)}")


def _plain_path(table: Table, row: int) -> str:
    """Write a path as a manifest holds it: with slashes, without `.`, `..` and empty parts."""
    cell = table.columns["path"][row]
    path = cell.replace("\\", "/")
    if _DRIVE.match(path) and os.name != "nt":
        raise DataError(
            f"{table.at(row, 'path')}: {quote_cell(cell)} is a path of Windows. Write paths "
            "relative to a folder, and name the folder with the option root=DIR."
        )
    plain = posixpath.normpath(path).replace("//", "/")
    if plain.split("/")[0] == "..":
        raise DataError(
            f"{table.at(row, 'path')}: {quote_cell(cell)} climbs out of the folder that the paths "
            "start from. Name a folder above the images with the option root=DIR and write paths "
            "relative to it, or write absolute paths."
        )
    return plain


def _without_enrolled(table: Table) -> Table:
    """Leave out gallery rows of a closed set whose pictures train: these are its gallery anyway."""
    splits, paths = table.columns.get("split", []), table.columns["path"]
    trained = {path for path, split in zip(paths, splits, strict=False) if split == "train"}
    others = [
        row
        for row, path in enumerate(paths)
        if not (splits and splits[row] == "gallery" and path in trained)
    ]
    count = len(paths) - len(others)
    words = "gallery rows name images that train, which are the gallery."
    return table.select(others, (f"{table.file.name}: {count:,} {words}",) if count else ())


def _distinct(
    table: Table, boxes: Sequence[Box | None], root: Path, hint: str
) -> tuple[list[int], tuple[str, ...]]:
    """Leave out rows that name an image again; those that contradict each other stop the reading.

    This comes before any split is drawn, so that what is found does not hang on the draw. Different
    boxes of one picture are different images.
    """
    columns = table.columns
    images = list(zip(columns["path"], boxes, strict=True))
    return find_distinct_rows(
        table,
        [(posixpath.join(root, path), box) for path, box in images],
        names=[path if box is None else f"{path}, box {box}" for path, box in images],
        labels={name: columns[name] for name in _LABELS if name in columns},
        others={name: cells for name, cells in columns.items() if name not in CORE_COLUMNS},
        splits=columns.get("split"),
        hint=hint,
    )


def _sample(table: Table, row: int, box: Box | None) -> Sample:
    cells = {name: column[row] for name, column in table.columns.items()}
    return Sample(
        path=cells["path"],
        identity=cells["identity"],
        split=cells.get("split", "test"),
        camera=cells.get("camera") or None,
        view=cells.get("view") or None,
        domain=cells.get("domain", ""),
        attributes={name: cell for name, cell in cells.items() if name not in CORE_COLUMNS},
        box=box,
    )
