"""Write a data set into a folder, whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptreid.data.data_spec import DataSpec
from promptreid.data.dataset import DataSet
from promptreid.data.layouts.export_plan import LAYOUTS, ExportPlan
from promptreid.data.layouts.folder_export import plan_folders
from promptreid.data.layouts.market_export import plan_market
from promptreid.data.layouts.table_export import plan_table
from promptreid.data.layouts.written_images import write_images
from promptreid.data.manifest.manifest_files import write_manifest
from promptreid.errors import ConfigError, DataError, unknown_name
from promptreid.files import creating_folder
from promptreid.progress import Progress, Silent
from promptreid.progress.counted_task import counting
from promptreid.text.cells import csv_cell
from promptreid.text.lists import counted
from promptreid.text.wrap import wrapped


@dataclass(frozen=True, repr=False)
class ExportedData:
    """What an export has written. Printed, it is what `promptreid data export` prints.

    Attributes:
        folder: Where it lies.
        spec: The data SPEC by which it is read.
        images: Number of images.
        identities: Number of identities.
        copied: Number of images whose files are copies of the originals.
        notes: Sentences on what became of the rest.
    """

    folder: Path
    spec: str
    images: int
    identities: int
    copied: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, JSON-ready."""
        return {**vars(self), "folder": str(self.folder), "notes": list(self.notes)}

    def __str__(self) -> str:
        written = (
            f"wrote {self.images:,} images of {self.identities:,} identities into {self.folder}; "
            f"read them as '{self.spec}'"
        )
        return "\n".join([*map(wrapped, self.notes), written])

    __repr__ = __str__


def export_data(
    dataset: DataSet,
    folder: Path,
    *,
    layout: str,
    wide: bool = False,
    apart: bool = False,
    progress: Progress | None = None,
) -> ExportedData:
    """Write a data set into a new folder.

    The files of whole pictures are copied byte for byte, but in the layout of Market-1501 those
    that are no JPEG; these and boxes become JPEG of quality 95 with full colour. Everything is
    written under another name and renamed at the end, so that what is there is whole.

    Args:
        dataset: What is written.
        folder: Where; it must not exist, or be empty.
        layout: One of `LAYOUTS`.
        wide: As for `plan_market`.
        apart: As for `plan_market`.
        progress: Hears how it goes.

    Raises:
        ConfigError: There is no such layout.
        DataError: The folder is there and not empty, a file cannot be written, an image cannot be
            read, or the layout cannot hold the data set.
    """
    if layout not in LAYOUTS:
        raise ConfigError(unknown_name("layout", layout, LAYOUTS))
    progress = progress or Silent()
    if layout == "market1501":
        plan = plan_market(dataset, wide=wide, apart=apart)
    else:
        plan = plan_table(dataset) if layout == "csv" else plan_folders(dataset)
    manifest = dataset.manifest
    images = [manifest.image(row) for row in plan.rows]
    try:
        with (
            counting(progress, f"writing {manifest.name}", len(images), "images"),
            creating_folder(folder) as temporary,
        ):
            written = write_images(
                images,
                [temporary / path for path in plan.paths],
                as_jpeg=plan.as_jpeg,
                counted=progress.advance,
            )
            _write_tables(plan, temporary)
    except OSError as error:
        place = error.filename or folder
        raise DataError(f"{place} cannot be written: {error.strerror or error}.") from error
    notes = list(plan.notes)
    if written.encoded:
        made = counted(written.encoded, "image was", "images were")
        others = "; all others are copies" if written.copied else ""
        notes.append(f"{made} encoded as JPEG of quality 95{others}.")
    keys = manifest.identity_keys()
    return ExportedData(
        folder=folder,
        spec=str(DataSpec(plan.reader, str(folder / plan.place), plan.options)),
        images=len(images),
        identities=len({keys[row] for row in plan.rows}),
        copied=written.copied,
        notes=tuple(notes),
    )


def _write_tables(plan: ExportPlan, folder: Path) -> None:
    for path in plan.folders:
        (folder / path).mkdir(exist_ok=True)
    for name, rows in plan.tables.items():
        _write_rows(folder / name, rows)
    if plan.table is not None:
        name, manifest = plan.table
        write_manifest(manifest, folder / name)


def _write_rows(file: Path, rows: Sequence[Sequence[str]]) -> None:
    with file.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerows([csv_cell(cell) for cell in row] for row in rows)
