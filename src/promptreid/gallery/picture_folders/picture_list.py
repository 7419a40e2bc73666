"""Which pictures a folder or a data set holds, and whom they show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from promptreid.data.data_spec import parse_spec
from promptreid.data.folders.folder_advice import refuse_no_identities
from promptreid.data.folders.identity_folders import IdentityFolders
from promptreid.data.folders.known_layouts import find_reader
from promptreid.data.folders.walk import Walk
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Sample
from promptreid.data.manifest.unknown_values import UnknownWords
from promptreid.data.reader_registry import READERS
from promptreid.errors import GalleryError
from promptreid.files import full_path
from promptreid.gallery.enrolment import list_images
from promptreid.gallery.vector_model import GalleryImage
from promptreid.text.lists import counted

_WITHOUT_NAMES = "images"
"""Reader of pictures of which nobody knows whom they show."""


@dataclass(frozen=True)
class PictureList:
    """The pictures of a place.

    Attributes:
        place: The folder in full, or the data spec.
        root: Folder that holds the pictures.
        images: N images.
        names: Name of who each shows.
        named: Whether the names stand for identities; False where nobody sorted the pictures.
        notes: Sentences on what was left out.
    """

    place: str
    root: Path
    images: list[GalleryImage]
    names: list[str]
    named: bool
    notes: tuple[str, ...]


def list_pictures(place: str) -> PictureList:
    """List the pictures of a folder or of a data spec; none is opened.

    A folder has one folder for each identity, the layout of a published data set, or loose
    pictures, which then have no identities.

    Raises:
        GalleryError: It is neither a folder nor a data spec.
        DataError: It holds no picture, or none where identities could be.
    """
    if place.partition(":")[0].strip() in READERS:
        return _list_data(place)
    folder = full_path(place)
    if not folder.is_dir():
        kind = "is a file," if folder.exists() else "is not there:"
        raise GalleryError(
            f"{place} {kind} neither a gallery, nor a folder of pictures, nor a data spec (such as "
            "csv:FILE). Name a folder that holds one folder of pictures for each person, or make a "
            f"gallery: promptreid gallery create {place} --model RUN."
        )
    layout = find_reader(folder)
    return _list_data(f"{layout}:{folder}") if layout else _list_folder(folder)


def _list_data(spec: str) -> PictureList:
    data = load_data(spec, roles=False)
    manifest = data.manifest
    shown = [row for row, name in enumerate(manifest.identities) if name not in data.background]
    images, names = list_images(manifest.select(shown))
    named = parse_spec(spec).name != _WITHOUT_NAMES
    return PictureList(
        spec, manifest.root, images, names, named, (*data.lost, *data.notes) if named else ()
    )


def _list_folder(folder: Path) -> PictureList:
    reading = IdentityFolders(folder, depth=1, take_nested=False)
    walk = Walk(folder)
    loose = walk.enter(folder).images
    sorted_ones = reading.samples()
    if len(loose) > len(sorted_ones):
        walk = Walk(folder)
        paths = list(walk.images_below(folder, walk.enter(folder)))
        images = [GalleryImage(folder / path) for path in paths]
        return PictureList(str(folder), folder, images, paths, False, (*walk.lost, *walk.notes))
    if not sorted_ones:
        refuse_no_identities(folder, reading.walk, depth=1)
    known = list(_leave_out_unknown(sorted_ones))
    notes = (*reading.walk.lost, *reading.notes())
    if len(known) < len(sorted_ones):
        left = counted(len(sorted_ones) - len(known), "picture is", "pictures are")
        notes += (f"{left} in folders whose name means that nobody knows whom they show.",)
    return PictureList(
        str(folder),
        folder,
        [GalleryImage(folder / sample.path) for sample in known],
        [sample.identity for sample in known],
        True,
        notes,
    )


def _leave_out_unknown(samples: list[Sample]) -> Iterator[Sample]:
    words = UnknownWords()
    return (one for one in samples if not words.means_unknown(one.identity, "identity"))
