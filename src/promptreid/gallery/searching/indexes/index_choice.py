"""Which index a gallery is searched by."""

from __future__ import annotations

import shutil
from pathlib import Path

from promptreid.errors import GalleryError, unknown_name
from promptreid.gallery.searching.indexes.bits_index import BitsIndex
from promptreid.gallery.searching.indexes.exact_index import ExactIndex
from promptreid.gallery.searching.indexes.vector_index import Index

AUTOMATIC = "auto"
KINDS = (AUTOMATIC, "exact", "bits")
"""What can be asked for."""

BITS_FROM = 65536
"""Entries from which on codes are compared first, where nothing else is asked for."""


def check_index(name: str) -> str:
    """Return the name of an index.

    Raises:
        GalleryError: There is none of that name.
    """
    if name not in KINDS:
        raise GalleryError(unknown_name("index", name, KINDS))
    return name


def choose_index(name: str, entries: int, folder: Path | None, current: Index) -> Index:
    """Return the index that so many entries are to be searched by; the current one where it fits.

    Args:
        name: One of `KINDS`.
        entries: Number of entries.
        folder: Where files may be kept that can be made anew; None where nowhere.
        current: The index so far.

    Raises:
        GalleryError: Bits are asked for, and there is no place for files.
    """
    if name == "bits" and folder is None:
        raise GalleryError(
            "The index `bits` keeps vectors in a folder beside the records, and these records are "
            "in none. Leave the choice to the gallery, or ask for `exact`."
        )
    if folder is not None and name == "exact":
        delete_files(folder)
    # What files hold of an entry is wiped by the index that reads them, so it is used if there are.
    many = folder is not None and (entries >= BITS_FROM or folder.is_dir())
    if folder is not None and (name == "bits" or (name == AUTOMATIC and many)):
        return current if current.kind == "bits" else BitsIndex(folder)
    return current if current.kind == "exact" else ExactIndex()


def delete_files(folder: Path) -> None:
    """Delete all that an index keeps in a folder; it is made anew when it is needed."""
    if folder.is_dir():
        shutil.rmtree(folder)
