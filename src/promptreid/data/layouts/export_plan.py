"""What an export writes, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptreid.data.images.image_formats import SUFFIXES
from promptreid.data.manifest.manifest import Manifest

LAYOUTS: Mapping[str, str] = {
    "market1501": "three folders and names that say identity and camera, as Market-1501 has them",
    "csv": "a table with all that is known, and a folder of images",
    "folders": "a folder for each identity, in folders of roles",
}
"""Layouts by name, and what each is."""


@dataclass(frozen=True)
class ExportPlan:
    """What an export writes, and where.

    Attributes:
        rows: Rows of the manifest that are written.
        paths: Where each goes, as a POSIX path below the folder that is written.
        as_jpeg: Whether images of other formats become JPEG; else their files are copied.
        reader: Name of the data set by which the result is read.
        options: Its options.
        place: What is read, below the folder that is written; empty for the folder.
        folders: Folders that are made even where nothing goes into them.
        tables: Columns of numbers and what they stand for, by name of the file.
        table: Rows that are written as a table, and the name of its file; None for none.
        notes: Sentences on what the layout cannot hold.
    """

    rows: tuple[int, ...]
    paths: tuple[str, ...]
    reader: str
    as_jpeg: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    folders: tuple[str, ...] = ()
    tables: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    table: tuple[str, Manifest] | None = None
    notes: tuple[str, ...] = ()


def name_ending(manifest: Manifest, row: int) -> str:
    """Return the ending of an image's file: that of its picture, or .jpg where it is cut out."""
    ending = Path(manifest.paths[row]).suffix.lower()
    return ending if ending in SUFFIXES and manifest.boxes[row] is None else ".jpg"


def image_ranks(manifest: Manifest) -> list[int]:
    """Number images by their place in the order in which seeded draws take them."""
    keys = manifest.image_keys()
    ranks = {key: number for number, key in enumerate(sorted(set(keys)), start=1)}
    return [ranks[key] for key in keys]
