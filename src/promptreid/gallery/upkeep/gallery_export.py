"""Writing a gallery out as a folder that any data reader takes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from promptreid.data.images.image_files import open_image
from promptreid.errors import GalleryError, parsing
from promptreid.files import creating_folder
from promptreid.gallery.records.record_rows import EntryRow
from promptreid.gallery.records.record_store import Records
from promptreid.progress import Progress
from promptreid.progress.counted_task import counting

TABLE = "entries.csv"
_COLUMNS = ("path", "identity", "split", "camera", "domain")


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        table: The table, which `csv:TABLE` reads as a data set.
        images: Image files that were written.
        elsewhere: Entries of which the gallery keeps only where they lie.
    """

    table: Path
    images: int
    elsewhere: int


def export_entries(
    records: Records, folder: Path, identity: str | None, progress: Progress
) -> Exported:
    """Write images and a table of them, of one identity or of all; hidden ones included.

    The folder takes its name when all is written, so that one of that name is whole.

    Raises:
        GalleryError: The folder holds something, there is no such identity, entries are parts of
            pictures of which only the place is kept, or a picture is damaged.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise GalleryError(f"{folder} is there and not empty; name a new folder.")
    with creating_folder(folder) as fresh, records.reading():
        names = records.names()
        wanted = None if identity is None else records.identity(identity).identity
        chosen = [row for row, _ in records.entries() if wanted in (None, row.identity)]
        rows, images = [], 0
        with counting(progress, f"writing {folder}", len(chosen), "images"):
            for entry in chosen:
                path = _write_picture(records, entry, fresh)
                images += not Path(path).is_absolute()
                rows.append(_table_row(entry, path, names[entry.identity]))
                progress.advance(1)
        columns = dict.fromkeys((*_COLUMNS, *(key for row in rows for key in row)))
        with (fresh / TABLE).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(columns), restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return Exported(folder / TABLE, images, len(chosen) - images)


def _write_picture(records: Records, entry: EntryRow, folder: Path) -> str:
    """Write the picture of an entry where the gallery has it; return its path for the table."""
    picture = records.picture(entry.entry)
    if picture.crop is None:
        if picture.box:
            raise GalleryError(
                f"Entry {entry.entry} is a part of {picture.path}, and this gallery keeps only "
                "where pictures lie, which a table cannot say."
            )
        return str(picture.path)
    with (
        parsing(GalleryError, f"The picture of entry {entry.entry} is damaged"),
        open_image(picture.crop) as image,
    ):
        ending = (image.format or "image").lower()
    name = f"images/{entry.entry:08d}.{ending}"
    (folder / "images").mkdir(exist_ok=True)
    (folder / name).write_bytes(picture.crop)
    return name


def _table_row(entry: EntryRow, path: str, name: str) -> dict[str, str]:
    known = {"camera": entry.camera, "domain": entry.domain}
    row = {"path": path, "identity": name, "split": "gallery"}
    row |= {key: value for key, value in known.items() if value}
    if entry.time is not None:
        row["time"] = datetime.fromtimestamp(entry.time, UTC).isoformat()
    return row | {key: value for key, value in entry.attributes.items() if key not in row}
