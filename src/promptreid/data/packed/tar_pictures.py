"""Pictures in tar files, in the layout of WebDataset: what belongs together has one name.

`a/0001.jpg` is a picture, `a/0001.json` says what is known of it: an object whose keys `identity`,
`camera`, `view`, `domain` and `split` are columns, and whose other texts and numbers are
attributes. `a/0001.cls` is its identity where that says none. Other files are left out.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptreid.data.images.image_files import LARGEST_FILE, UnreadableImage
from promptreid.data.images.image_formats import SUFFIXES
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.packed.image_table import ImageTable
from promptreid.data.packed.labelled_row import label_row
from promptreid.errors import DataError, parsing

_LARGEST_LABEL = 1 << 20


@dataclass(frozen=True, slots=True)
class _Member:
    tar: Path
    start: int
    size: int


def open_tars(spec: str, root: Path, tars: Sequence[Path]) -> ImageTable:
    """Open the pictures of tar files; their headers and labels are read, no picture is.

    Args:
        spec: What they were named by.
        root: The folder that paths are written from.
        tars: The files, in the order of the rows, none compressed.

    Raises:
        DataError: A file is no such tar file, or there is no picture in any, or two have one name.
    """
    samples, members = [], []
    for tar in tars:
        pictures, labels = _list_members(tar)
        start = tar.relative_to(root).as_posix()
        for name, member in pictures.items():
            samples.append(label_row(f"{start}/{name}", labels.get(_key(name), {})))
            members.append(member)
    if not samples:
        raise DataError(f"There is no picture in the tar files of {spec}.")
    manifest = Manifest.of(root.name or "tar", root, samples)
    return ImageTable(spec, manifest, lambda row: _read(members[row], manifest.path(row)))


def _list_members(tar: Path) -> tuple[dict[str, _Member], dict[str, dict[str, Any]]]:
    """List the pictures of a tar file by name, and what its other files say of them, by key."""
    pictures: dict[str, _Member] = {}
    labels: dict[str, dict[str, Any]] = {}
    with (
        parsing(DataError, f"{tar} cannot be read as an uncompressed tar file"),
        tarfile.open(tar, "r:") as archive,
    ):
        for entry in archive:
            name = entry.name.removeprefix("./")
            ending = _ending(name)
            if not entry.isreg() or entry.sparse is not None:
                continue
            if f".{ending.rpartition('.')[2]}" in SUFFIXES:
                if name in pictures:
                    raise DataError(f"{tar} holds two files named {name}.")
                pictures[name] = _Member(tar, entry.offset_data, entry.size)
            elif ending in ("json", "cls"):
                stream = archive.extractfile(entry)
                assert stream is not None  # only of what is no ordinary file
                text = stream.read(_LARGEST_LABEL).decode()
                values = labels.setdefault(_key(name), {})
                if ending == "cls":
                    values.setdefault("identity", text.strip())
                else:
                    values.update(_parse(tar, name, text))
    return pictures, labels


def _parse(tar: Path, name: str, text: str) -> dict[str, Any]:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise DataError(f"{name} in {tar} is no JSON object of what is known of a picture.")
    return content


def _ending(name: str) -> str:
    """Return what stands behind the first point of a file's own name, in small letters."""
    return name.rpartition("/")[2].partition(".")[2].lower()


def _key(name: str) -> str:
    """Return the name that the files of one sample share."""
    folder, slash, own = name.rpartition("/")
    return folder + slash + own.partition(".")[0]


def _read(member: _Member, place: Path) -> bytes:
    """Read a picture; several threads may do so."""
    if member.size > LARGEST_FILE:
        raise UnreadableImage(place, f"it has more than {LARGEST_FILE >> 20} MiB")
    try:
        with member.tar.open("rb") as stream:
            stream.seek(member.start)
            data = stream.read(member.size)
    except OSError as error:
        raise UnreadableImage(place, error.strerror or str(error)) from error
    if len(data) < member.size:
        raise UnreadableImage(place, "the tar file ends within it")
    if not data:
        raise UnreadableImage(place, "the file is empty")
    return data
