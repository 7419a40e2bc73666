"""Enrolling a batch of images: read, embed what is new, commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptreid.data.manifest.manifest import Manifest
from promptreid.gallery.image_content import ImageContent, read_content
from promptreid.gallery.records.record_rows import NewEntry
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.filters import parse_time
from promptreid.gallery.searching.search_state import SearchState
from promptreid.gallery.upkeep.refusals import find_refused
from promptreid.gallery.vector_model import (
    VIEW,
    GalleryImage,
    VectorModel,
    check_still_searched,
)

TIME = "time"
"""Attribute of a data set that says when an image was taken."""


@dataclass(frozen=True)
class Conflict:
    """Content that is enrolled as somebody else.

    Attributes:
        image: What was given, for people.
        enrolled: Name that it is enrolled under.
        given: Name that was given now.
    """

    image: str
    enrolled: str
    given: str


@dataclass(frozen=True)
class EnrolledImage:
    """What became of one image.

    Attributes:
        entry: Number of the entry that holds its content; None where it is refused.
        identity: Name that this is enrolled under; None where it is refused.
        is_new: Whether it was not enrolled before.
    """

    entry: int | None
    identity: str | None
    is_new: bool


@dataclass(frozen=True)
class Enrolled:
    """What became of images that were given.

    Attributes:
        added: Images that are enrolled now.
        present: Images that were enrolled before, or came twice.
        conflicts: Those of the latter that are enrolled under another name, which was left.
        images: What became of each, in the order in which they were given.
        refused: Those that must not be enrolled since they were erased.
    """

    added: int = 0
    present: int = 0
    conflicts: tuple[Conflict, ...] = ()
    images: tuple[EnrolledImage, ...] = ()
    refused: tuple[str, ...] = ()

    def __add__(self, other: Enrolled) -> Enrolled:
        return Enrolled(
            self.added + other.added,
            self.present + other.present,
            self.conflicts + other.conflicts,
            self.images + other.images,
            self.refused + other.refused,
        )


def list_images(manifest: Manifest) -> tuple[list[GalleryImage], list[str]]:
    """Turn the rows of a manifest into images and the names of who they show.

    The attribute `time` says when an image was taken. Where a manifest has several domains, a name
    is written behind its domain, since one name may stand for two people there.

    Raises:
        GalleryError: A time is none.
    """
    several = len(set(manifest.domains)) > 1
    images, names = [], []
    for row, sample in enumerate(manifest):
        time = sample.attributes.get(TIME)
        images.append(
            GalleryImage(
                manifest.image(row),
                camera=sample.camera,
                view=sample.view,
                time=parse_time(time) if time else None,
                domain=sample.domain,
                attributes={
                    name: value
                    for name, value in sample.attributes.items()
                    if value and name != TIME
                },
            )
        )
        names.append(f"{sample.domain}/{sample.identity}" if several else sample.identity)
    return images, names


def enrol_batch(
    records: Records,
    state: SearchState,
    model: VectorModel,
    images: Sequence[GalleryImage],
    names: Sequence[str],
    *,
    keep: str,
) -> Enrolled:
    """Enrol some images in one transaction; others may search while they are embedded.

    Args:
        records: Where they go.
        state: What follows from the records.
        model: Makes vectors of those that are new.
        images: N images.
        names: Name of who each shows.
        keep: "crops" or "paths"; see `GallerySettings`.
    """
    contents = [read_content(image) for image in images]
    digests = [content.digest for content in contents]
    with state.lock:
        refused = find_refused(records, digests)
    if refused:
        may = [place for place, digest in enumerate(digests) if digest not in refused]
        named = [images[place] for place in may], [names[place] for place in may]
        return _put_refused_between(
            enrol_batch(records, state, model, *named, keep=keep), contents, refused
        )
    with state.lock, records.reading():
        known, entry_by_digest = records.find_known(digests), records.find_entries(digests)
    new: list[int] = []
    seen = dict(known)
    for number, content in enumerate(contents):
        if content.digest not in seen:
            seen[content.digest] = names[number]
            new.append(number)
    if not new:
        return _count(contents, names, seen, entry_by_digest, [])
    with state.lock:
        check_still_searched(records.place, model, records.model())
    vectors, texts = model.both_vectors([contents[number].image for number in new])
    entries = [
        replace(
            _entry(images[number], contents[number], names[number], vectors[place], keep=keep),
            text_vector=None if texts is None else texts[place],
        )
        for place, number in enumerate(new)
    ]
    with state.lock, state.changing(records):
        stored = records.model()
        check_still_searched(records.place, model, stored)
        if texts is not None and stored is not None and stored.text_width is None:
            records.set_model(replace(stored, text_width=texts.shape[1]))  # of an older version
        # Another process may have enrolled some of them in the meantime; those stay as they are.
        added = records.add(entries)
        # What was there at first may have been erased since, and is not enrolled again.
        known |= records.find_known(digests)
        entry_by_digest |= records.find_entries(digests)
    return _count(contents, names, known, entry_by_digest, added)


def _put_refused_between(
    enrolled: Enrolled, contents: Sequence[ImageContent], refused: set[str]
) -> Enrolled:
    """Put those that were left out where they were given."""
    others = iter(enrolled.images)
    images = [
        EnrolledImage(None, None, is_new=False) if one.digest in refused else next(others)
        for one in contents
    ]
    left_out = [one.path or "an image from memory" for one in contents if one.digest in refused]
    return replace(enrolled, images=tuple(images), refused=tuple(left_out))


def _entry(image: GalleryImage, content: ImageContent, name: str, vector, *, keep: str) -> NewEntry:
    return NewEntry(
        content_hash=content.digest,
        identity=name,
        camera=image.camera,
        time=image.time,
        domain=image.domain,
        attributes={**({} if image.view is None else {VIEW: image.view}), **image.attributes},
        crop=None if keep == "paths" and content.path is not None else content.crop,
        path=content.path,
        box=content.box,
        vector=vector,
    )


def _count(
    contents: Sequence[ImageContent],
    names: Sequence[str],
    seen: dict[str, str],
    entry_by_digest: dict[str, int],
    added: Sequence[int],
) -> Enrolled:
    conflicts = tuple(
        Conflict(content.path or "an image from memory", seen[content.digest], name)
        for content, name in zip(contents, names, strict=True)
        if seen[content.digest] != name
    )
    new, images = set(added), []
    for content in contents:
        entry = entry_by_digest[content.digest]
        images.append(EnrolledImage(entry, seen[content.digest], entry in new))
        new.discard(entry)  # the same content once more
    return Enrolled(len(added), len(contents) - len(added), conflicts, tuple(images))
