"""The table of a data set of wildlife-datasets, saved as CSV.

Columns `path` and `identity`; `original_split` or `split` says which images train, `bbox` which
part of a picture is the image, `date` when it was taken. All other columns are attributes. Images
of identity `unknown` are left out. Tables of animals are often split by image, so that the
identities of test images train too: `identities=closed` scores such a split, and `split=draw`
leaves it out and draws identities. (Čermák et al., WildlifeDatasets, WACV 2024.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from promptreid.data.dataset import DataSet
from promptreid.data.folders.layout import describe_contents
from promptreid.data.folders.role_folders import ROLES
from promptreid.data.readers.csv import Options as TableOptions
from promptreid.data.readers.csv import make_table_data
from promptreid.data.tables.table_messages import quote_cell
from promptreid.data.tables.table_reader import Table, read_table
from promptreid.errors import DataError
from promptreid.text.lists import counted, listed

_METADATA = "metadata.csv"
_SPLIT_COLUMNS = ("original_split", "split")
_SPLITS: Mapping[str, str] = {**ROLES, "database": "gallery"}
_MASKS = ("segmentation", "mask", "keypoints")
_NO_DATES = ("", "nan", "nat", "none", "unknown")
_DAY = len("2026-01-31")


class Options(TableOptions):
    """Options of `wildlife`."""

    split: Literal["original", "draw"] = Field(
        "original", description="heed the split that the table names, or draw identities"
    )


def read(place: Path, options: Options) -> DataSet:
    """Read the table, or `metadata.csv` in the folder named.

    Raises:
        DataError: When there is no table, it lacks columns, a cell is wrong (the line is named),
            images are missing, or training and test share an identity.
    """
    file = place / _METADATA if place.is_dir() else place
    if not file.is_file():
        there = f"; {place} holds {describe_contents(place)}" if place.is_dir() else ""
        raise DataError(
            f"{file} is not a file{there}. Save the table of a data set with "
            f"dataset.df.to_csv({str(file)!r}, index=False)."
        )
    table = read_table(file, keys=("path", "identity")).stripped()
    masks = [name for name in table.columns if name in _MASKS]
    if masks:
        others = {name: cells for name, cells in table.columns.items() if name not in masks}
        table = table.with_columns(others, (f"Columns {listed(masks)} are left out.",))
    name = file.parent.name if file.name == _METADATA else file.stem
    dataset = make_table_data(_with_roles(table, options), options, name=name or "wildlife")
    return _warn_of_same_days(dataset)


def _with_roles(table: Table, options: Options) -> Table:
    """Write the roles that the table names as ours, and leave out rows without one."""
    named = [name for name in _SPLIT_COLUMNS if any(table.columns.get(name, ()))]
    others = {name: cells for name, cells in table.columns.items() if name not in _SPLIT_COLUMNS}
    if options.split == "draw" or not named:
        return table.with_columns(others)
    cells = table.columns[named[0]]
    for row, cell in enumerate(cells):
        if cell and cell.lower() not in _SPLITS:
            raise DataError(
                f"{table.at(row, named[0])}: {quote_cell(cell)} is no split; allowed are "
                f"{listed(list(_SPLITS), 'or')}. The option split=draw leaves the column out."
            )
    split = [_SPLITS.get(cell.lower(), "") for cell in cells]
    rows = [row for row, role in enumerate(split) if role]
    notes = ()
    if len(rows) < len(split):
        count = counted(len(split) - len(rows), "image has", "images have")
        notes = (f"{count} no {named[0]} and are left out.",)
    return table.with_columns({**others, "split": split}).select(rows, notes)


def _warn_of_same_days(dataset: DataSet) -> DataSet:
    """Count the queries that a gallery image of the same identity and day answers."""
    manifest, protocol = dataset.manifest, dataset.protocol
    dates = manifest.attributes.get("date")
    if protocol is None or dates is None:
        return dataset
    days = [(*key, date[:_DAY]) for key, date in zip(manifest.identity_keys(), dates, strict=True)]
    dated = [date.lower() not in _NO_DATES for date in dates]
    repeat = protocol.repeats[0]
    gallery = {days[row] for row in repeat.gallery if dated[row]}
    queries = [row for row in repeat.query if dated[row]]
    answered = sum(days[row] in gallery for row in queries)
    if not answered:
        return dataset
    note = (
        f"{answered:,} of {len(queries):,} queries with a date have a gallery image of the same "
        "identity and day. Pictures of one day are often of one encounter, so that scores say "
        "little about another day."
    )
    return replace(dataset, notes=(*dataset.notes, note))
