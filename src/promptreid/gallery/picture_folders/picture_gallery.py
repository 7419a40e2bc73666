"""The gallery of a plain folder: made at the first search, and brought up to date at each other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptreid.data.images.boxes import ImageSource
from promptreid.data.images.image_files import UnreadableImage
from promptreid.errors import GalleryError
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.picture_folders.picture_list import PictureList
from promptreid.gallery.picture_folders.picture_log import (
    LOG,
    OWN,
    TWIN,
    UNREADABLE,
    LoggedPicture,
    PictureLog,
    key_picture,
    make_key,
    stamp_picture,
)
from promptreid.gallery.picture_folders.search_cache import (
    hold_gallery,
    make_room,
    name_gallery,
    open_cached_records,
)
from promptreid.gallery.vector_model import GalleryImage, VectorModel
from promptreid.progress import Progress
from promptreid.progress.counted_task import counting
from promptreid.text.lists import counted, shorten_list

BATCH = 64
"""Pictures that are embedded, committed and logged at a time."""

NOBODY = "pictures"
"""Identity of all pictures where nobody knows whom they show."""


@dataclass(frozen=True, eq=False)
class PictureGallery:
    """A gallery that is in line with a place.

    Attributes:
        gallery: The gallery.
        pictures: What the place holds.
        embedded: Pictures that were new.
        removed: Pictures that were gone or changed.
        notes: Sentences on what was left out.
    """

    gallery: Gallery
    pictures: PictureList
    embedded: int
    removed: int
    notes: tuple[str, ...]


def open_picture_gallery(
    pictures: PictureList, model: VectorModel, cache: Path, *, progress: Progress
) -> PictureGallery:
    """Open the gallery of a place and bring it in line with the pictures there.

    Pictures whose file and description are as they were are not read. After a killed process the
    next one goes on where it was.

    Args:
        pictures: What the place holds.
        model: Makes the vectors.
        cache: Where galleries of places are kept.
        progress: Told of pictures once they are on the disk.

    Raises:
        GalleryError: No picture can be read, or the cache cannot be written.
    """
    name = name_gallery(pictures.place, model.fingerprint)
    with hold_gallery(cache, name, progress):
        gallery = Gallery(open_cached_records(cache, name), model)
        try:
            logged, embedded, removed = _bring_up_to_date(
                gallery, PictureLog(cache / name), pictures, progress
            )
        except BaseException:
            gallery.close()
            raise
        with contextlib.suppress(OSError):  # says when it was used last
            os.utime(cache / name / LOG)
        make_room(cache, spare=name)
    notes = _note_states(logged)
    if not any(one.state == OWN for one in logged.values()):
        gallery.close()
        raise GalleryError(f"No picture of {pictures.place} can be searched. {' '.join(notes)}")
    return PictureGallery(gallery, pictures, embedded, removed, (*pictures.notes, *notes))


def _bring_up_to_date(
    gallery: Gallery, log: PictureLog, pictures: PictureList, progress: Progress
) -> tuple[dict[str, LoggedPicture], int, int]:
    """Remove what is gone or changed and enrol what is new.

    Returns:
        What became of each picture, by key, and how many are new and how many were removed.
    """
    names = pictures.names if pictures.named else [NOBODY] * len(pictures.names)
    pairs = zip(pictures.images, names, strict=True)
    wanted = {key_picture(image): (image, name) for image, name in pairs}
    stamps = {key: stamp_picture(*one) for key, one in wanted.items()}
    logged = log.read()
    removed = _remove_stale(gallery, logged, stamps)
    done = {
        key: one
        for key, one in logged.items()
        if stamps.get(key) == one.stamp and not (removed and one.state == TWIN)
    }
    if len(done) < len(logged):
        log.replace(done)
    fresh = [key for key in wanted if key not in done]
    if not fresh:
        return done, 0, removed
    with counting(progress, f"embedding {pictures.place}", len(fresh), "pictures"):
        for start in range(0, len(fresh), BATCH):
            keys = fresh[start : start + BATCH]
            states = zip(keys, _enrol(gallery, [wanted[key] for key in keys]), strict=True)
            added = {key: LoggedPicture(stamps[key], state) for key, state in states}
            log.append(added)
            done |= added
            progress.advance(len(keys))
    return done, len(fresh), removed


def _remove_stale(
    gallery: Gallery, logged: dict[str, LoggedPicture], stamps: dict[str, str]
) -> int:
    """Erase the entries of pictures that are gone, changed, or not in the log."""
    own = {key for key, one in logged.items() if one.state == OWN}
    stale = {key for key in own if stamps.get(key) != logged[key].stamp}
    if not stale and gallery.info().entries == len(own):
        return 0
    entries = []
    with gallery.records.reading():
        rows = [row for row, _ in gallery.records.entries()]
    for row in rows:
        key = make_key(row.path or "", row.box)
        if key in stale or key not in own:
            entries.append(row.entry)
        else:
            own.discard(key)
    for key in own:  # logged, but not there
        logged.pop(key)
    if entries:
        with contextlib.suppress(GalleryError):  # in use: what is left of them goes another time
            gallery.erase(entries=entries)
    return len(entries)


def _enrol(gallery: Gallery, batch: Sequence[tuple[GalleryImage, str]]) -> list[str]:
    """Enrol a batch, and say what became of each picture of it."""
    left, unreadable = list(batch), set[str]()
    own: set[str] = set()
    while left:
        try:
            enrolled = gallery.add([image for image, _ in left], [name for _, name in left])
        except UnreadableImage as error:
            bad = {key_picture(image) for image, _ in left if _find_path(image) == error.path}
            if not bad:
                raise
            unreadable |= bad
            left = [pair for pair in left if key_picture(pair[0]) not in unreadable]
        else:
            rows = gallery.entry_rows(
                [one.entry for one in enrolled.images if one.entry is not None]
            )
            own = {make_key(row.path or "", row.box) for row in rows}
            break
    keys = [key_picture(image) for image, _ in batch]
    return [OWN if key in own else UNREADABLE if key in unreadable else TWIN for key in keys]


def _find_path(image: GalleryImage) -> Path | None:
    pixels = image.pixels
    return (
        pixels.path
        if isinstance(pixels, ImageSource)
        else pixels
        if isinstance(pixels, Path)
        else None
    )


def _note_states(logged: dict[str, LoggedPicture]) -> tuple[str, ...]:
    bad = [Path(key).name for key, one in logged.items() if one.state == UNREADABLE]
    twins = sum(one.state == TWIN for one in logged.values())
    notes = []
    if bad:
        cannot = counted(len(bad), "picture cannot be read", "pictures cannot be read")
        notes.append(f"{cannot}: {shorten_list(sorted(bad))}.")
    if twins:
        notes.append(
            f"{counted(twins, 'picture is', 'pictures are')} the same as another, and left out."
        )
    return tuple(notes)
