"""What lies in a folder, each thing by its kind, from one look at it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from promptreid.data.images.image_formats import HEIC, RAW, SUFFIXES
from promptreid.errors import DataError

LITTER = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini"))
"""Files, in small letters, that file managers leave in folders of pictures."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Names directly in a folder, each list in order; hidden ones and `LITTER` are left out.

    Attributes:
        images: Files whose ending is that of a photograph.
        folders: Folders, links to folders among them.
        linked: The links among `folders`.
        heic: Files that are HEIC or HEIF by their name.
        raw: Files of cameras that are not decoded, by their name.
        others: All other files.
        dead_images: Links to nothing that are named as images.
        dead_folders: Links to nothing without an ending, which stood for folders.
        special: Pipes, sockets and devices.
    """

    images: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    linked: set[str] = field(default_factory=set)
    heic: list[str] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    dead_images: list[str] = field(default_factory=list)
    dead_folders: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)


def list_folder(folder: Path) -> Listing:
    """List a folder; nothing in it is opened.

    Raises:
        DataError: When it cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            by_name = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror}.") from error
    listing = Listing()
    for entry in by_name:
        if not entry.name.startswith(".") and entry.name.lower() not in LITTER:
            _sort(entry, listing)
    return listing


def _sort(entry: os.DirEntry[str], listing: Listing) -> None:
    kind = _kind(entry)
    if kind == "folder":
        listing.folders.append(entry.name)
        if entry.is_symlink():
            listing.linked.add(entry.name)
    elif kind == "special":
        listing.special.append(entry.name)
    else:
        _file_list(entry.name, listing, dead=kind == "dead").append(entry.name)


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
    except OSError:  # links in a circle
        return "dead"
    return "dead" if entry.is_symlink() else "special"


def _file_list(name: str, listing: Listing, *, dead: bool) -> list[str]:
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - called for every file
    if dead and suffix in ("", *SUFFIXES, *HEIC, *RAW):
        return listing.dead_images if suffix else listing.dead_folders
    if suffix in SUFFIXES:
        return listing.images
    if suffix in HEIC:
        return listing.heic
    return listing.raw if suffix in RAW else listing.others
