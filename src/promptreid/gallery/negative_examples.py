"""Negative examples: pictures of which somebody said that they do not show an identity.

A picture that is more like a negative example of an identity than like any of its images is not
taken for it. This raises the bar for that identity alone, and only so near to what was mistaken
for it. Strangers are accepted less often than without, never more, so the promised rate holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptreid.errors import GalleryError
from promptreid.gallery.gallery_errors import NotEnrolledError, StoreInUseError
from promptreid.gallery.identity_changes import find_identity
from promptreid.gallery.image_content import read_content
from promptreid.gallery.opened_gallery import OpenedGallery
from promptreid.gallery.records.record_rows import NewNegative
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.vector_model import (
    GalleryImage,
    Pixels,
    VectorModel,
    as_image,
    check_still_searched,
)
from promptreid.json_record import JsonRecord


@dataclass(frozen=True)
class NegativeExample(JsonRecord):
    """A picture that does not show an identity.

    Attributes:
        negative: Its number.
        identity: Name of who it does not show.
        entry: Number of the entry that it is; None for a picture that is not enrolled.
        shows: Name of who that entry shows.
        path: Where the picture lay; None for one from memory, or for an entry.
    """

    negative: int
    identity: str
    entry: int | None
    shows: str | None
    path: str | None


class NegativeExamples(OpenedGallery):
    """The part of a gallery that knows what does not show an identity."""

    def add_negatives(
        self,
        identity: str | int,
        images: Sequence[GalleryImage | Pixels | str] = (),
        entries: Sequence[int] = (),
        *,
        seen: int | None = None,
    ) -> list[int]:
        """Say that pictures, or entries of others, do not show an identity.

        Args:
            identity: Name or number of who they do not show.
            images: Pictures; one that is enrolled as somebody else is that entry.
            entries: Numbers of entries.
            seen: Version of the identity that was seen.

        Returns:
            Numbers of the negative examples, those of pictures first. What is one already keeps
            its number.

        Raises:
            NotEnrolledError: There is no such identity or entry.
            ChangedSinceError: The identity is not as it was `seen`.
            GalleryError: A picture is enrolled as that identity, or there is no model to embed it.
            ModelSwitchedError: Another process has changed the model.
            UnreadableImage: A picture cannot be read.
        """
        if not images and not entries:
            raise GalleryError("Name pictures or entries that do not show the identity.")
        made: list[NewNegative] = []
        model = self._require_model() if images else None
        if model is not None:
            opened = [as_image(image) for image in images]
            made = make_image_negatives(model, opened, keep=self.settings.keep)
        with self._lock, self._state.changing(self.records):
            if model is not None:
                check_still_searched(self.records.place, model, self.records.model())
            number = find_identity(self.records, identity, seen=seen).identity
            enrolled = self.records.find_entries([row.content_hash for row in made])
            own = [enrolled[row.content_hash] for row in made if row.content_hash in enrolled]
            chosen = [
                replace(row, identity=number) for row in made if row.content_hash not in enrolled
            ]
            chosen += make_entry_negatives(self.records, number, [*own, *entries])
            return self.records.add_negatives(chosen)

    def negatives(self, identity: str | int | None = None) -> list[NegativeExample]:
        """Return the negative examples of an identity, or of all, by number.

        Raises:
            NotEnrolledError: There is no such identity.
        """
        with self._lock, self.records.reading():
            return list_negatives(self.records, identity)

    def remove_negatives(self, negatives: Sequence[int]) -> None:
        """Take back that pictures do not show an identity, and rewrite the store without them.

        Raises:
            NotEnrolledError: There is no such negative example; nothing is removed then.
        """
        with self._lock:
            with self._state.changing(self.records):
                for number in negatives:
                    self.records.negative_picture(number)
                self.records.remove_negatives(negatives)
            with contextlib.suppress(StoreInUseError):  # then the next opening rewrites it
                self.records.compact()


def make_image_negatives(
    model: VectorModel, images: Sequence[GalleryImage], *, keep: str
) -> list[NewNegative]:
    """Embed pictures that are negative examples of an identity yet to be named (0).

    Args:
        model: Makes their vectors.
        images: N images.
        keep: "crops" or "paths"; see `GallerySettings`.
    """
    if not images:
        return []
    contents = [read_content(image) for image in images]
    vectors = model.vectors([content.image for content in contents])
    return [
        NewNegative(
            identity=0,
            content_hash=content.digest,
            crop=None if keep == "paths" and content.path is not None else content.crop,
            path=content.path,
            box=content.box,
            vector=vector,
        )
        for content, vector in zip(contents, vectors, strict=True)
    ]


def make_entry_negatives(
    records: Records, identity: int, entries: Sequence[int]
) -> list[NewNegative]:
    """Make negative examples of entries.

    Raises:
        NotEnrolledError: There is no such entry.
        GalleryError: An entry is enrolled as that very identity.
    """
    rows = records.entry_rows(entries)
    missing = sorted(set(entries) - {row.entry for row in rows})
    if missing:
        raise NotEnrolledError(f"There is no entry {missing[0]} in {records.place}.")
    own = [row.entry for row in rows if row.identity == identity]
    if own:
        raise GalleryError(
            f"Entry {own[0]} is enrolled as {records.names()[identity]!r} itself. If it shows "
            f"somebody else, put it under another name first: promptreid gallery split "
            f"{records.place} IDENTITY NAME --entry {own[0]}."
        )
    return [NewNegative(identity, row.content_hash, row.entry) for row in rows]


def list_negatives(records: Records, identity: str | int | None) -> list[NegativeExample]:
    """List the negative examples of an identity, or of all, by number.

    Raises:
        NotEnrolledError: There is no such identity.
    """
    wanted = None if identity is None else find_identity(records, identity).identity
    names = records.names()
    rows = [row for row in records.negatives() if wanted in (None, row.identity)]
    entered = records.entry_rows([row.entry for row in rows if row.entry is not None])
    shown = {row.entry: names[row.identity] for row in entered}
    return [
        NegativeExample(
            row.negative,
            names[row.identity],
            row.entry,
            None if row.entry is None else shown[row.entry],
            row.path,
        )
        for row in rows
    ]
