"""Your own table.

Columns `path` and `identity` are needed; `camera`, `view`, `domain` and `split` are known, all
others become attributes. Paths start from the folder of the file. Without a `split` column,
identities are drawn for training and testing. A manifest saved as CSV is such a table. Images of
unknown identity are left out and other cells that mean "not known" are empty; see
`promptreid.data.unknown`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pydantic import Field

from promptreid.data.dataset import DataSet
from promptreid.data.manifest import CORE_COLUMNS, SPLITS, Manifest, Sample
from promptreid.data.manifest_io import Table, read_table
from promptreid.data.readers.flat import FlatOptions, own_protocol, split_identities
from promptreid.data.readers.layout import contents, present
from promptreid.data.readers.options import MissingOptions
from promptreid.data.unknown import UnknownWords, known_values, rows_of_known_identity
from promptreid.errors import DataError, unknown_name
from promptreid.text.lists import few


class Options(FlatOptions, MissingOptions):
    """Options of `csv`."""

    root: Path | None = Field(
        None, description="folder that the paths start from; the folder of the file by default"
    )


def read(file: Path, options: Options) -> DataSet:
    """Read a table of images.

    Args:
        file: The CSV file.
        options: Checked options.

    Raises:
        DataError: When the file cannot be read, a cell is wrong (the line is named), images are
            missing, or training and test share an identity.
    """
    if not file.is_file():
        folder = file if file.is_dir() else file.parent
        there = f" {folder} holds {contents(folder)}." if folder.is_dir() else ""
        raise DataError(f"{file} is not a file; a table with path and identity is needed.{there}")
    table = _stripped(read_table(file))
    _check_columns(table)
    table, notes = _without_unknown(table, options.unknown_words)
    cameras, camera_notes = _numbers(table, "camera")
    views, view_notes = _numbers(table, "view")
    notes += (*camera_notes, *view_notes)
    samples = [
        _sample(table, row, camera, view)
        for row, (camera, view) in enumerate(zip(cameras, views, strict=True))
    ]
    root = options.root.expanduser().absolute() if options.root else file.parent
    samples, told = present(samples, root, missing=options.missing, listed_in=file.name)
    notes += told
    if "split" not in table.columns:
        samples, told = split_identities(samples, options, file.stem)
        notes += told
    manifest = Manifest.of(file.stem, root, samples)
    protocol, told = own_protocol(manifest, options)
    return DataSet(f"csv:{file}", manifest, protocol, (*notes, *told))


def _stripped(table: Table) -> Table:
    columns = {name: [cell.strip() for cell in cells] for name, cells in table.columns.items()}
    return Table(table.file, columns, table.lines)


def _without_unknown(table: Table, words: UnknownWords) -> tuple[Table, tuple[str, ...]]:
    """Leave out rows of unknown identity, and empty the other cells that mean "not known"."""
    splits = table.columns.get("split", [""] * len(table.lines))
    kept, notes = rows_of_known_identity(
        table.columns["identity"], splits, words, source=str(table.file)
    )
    columns = {name: [cells[row] for row in kept] for name, cells in table.columns.items()}
    for name in columns:
        if name not in ("path", "identity", "split"):
            values, told = known_values(columns[name], name, words)
            columns[name] = [value or "" for value in values]
            notes += told
    return Table(table.file, columns, [table.lines[row] for row in kept]), notes


def _check_columns(table: Table) -> None:
    for name in ("path", "identity"):
        if name not in table.columns:
            hint = unknown_name("column", name, table.columns)
            raise DataError(f"{table.file} needs the columns path and identity. {hint}")
    for line, cell in zip(table.lines, table.columns["path"], strict=True):
        if not cell:
            raise DataError(f"{table.file}, line {line}: path is empty.")
    if not table.lines:
        raise DataError(f"{table.file} has a header but no rows.")
    for line, cell in zip(table.lines, table.columns.get("split", ()), strict=False):
        if cell not in SPLITS:
            raise DataError(f"{table.file}, line {line}: {unknown_name('split', cell, SPLITS)}")


def _numbers(table: Table, column: str) -> tuple[Sequence[int | None], tuple[str, ...]]:
    """Read cameras or views: whole numbers as they are, other names by their sorted order."""
    cells = table.columns.get(column)
    if cells is None:
        return [None] * len(table.lines), ()
    if all(not cell or cell.isdecimal() for cell in cells):
        return [int(cell) if cell else None for cell in cells], ()
    names = sorted({cell for cell in cells if cell})
    numbers = {name: number for number, name in enumerate(names)}
    told = few([f"{name} is {number}" for name, number in numbers.items()], limit=8)
    note = f"Column {column} holds names; they are numbered in sorted order: {told}."
    return [numbers[cell] if cell else None for cell in cells], (note,)


def _sample(table: Table, row: int, camera: int | None, view: int | None) -> Sample:
    cells = {name: column[row] for name, column in table.columns.items()}
    return Sample(
        path=PurePosixPath(cells["path"].replace("\\", "/")).as_posix(),
        identity=cells["identity"],
        split=cells.get("split", "test"),
        camera=camera,
        view=view,
        domain=cells.get("domain", ""),
        attributes={name: cell for name, cell in cells.items() if name not in CORE_COLUMNS},
    )
