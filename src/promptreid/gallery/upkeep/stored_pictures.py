"""Embedding pictures that are enrolled, while others use the gallery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptreid.data.images.boxes import ImageSource, parse_box
from promptreid.errors import GalleryError
from promptreid.gallery.image_content import find_fault
from promptreid.gallery.records.record_rows import EntryRow, NewVector, Picture
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.search_state import SearchState
from promptreid.gallery.vector_model import VIEW, GalleryImage, VectorModel
from promptreid.text.lists import counted, shorten_list

_FAULTS_TOLD = 5


class StoredPictures:
    """Makes vectors of pictures as they were enrolled, and notes those that cannot be read.

    The lock is held while pictures are read from the records, and not while they are embedded.
    """

    def __init__(self, records: Records, state: SearchState, model: VectorModel) -> None:
        """Take records, the state whose lock is held over them, and what makes vectors."""
        self._records, self._lock, self._model = records, state.lock, model
        self._faults: dict[str, str] = {}

    def embed_entries(self, entries: Sequence[int]) -> list[NewVector]:
        """Embed those of some entries that are there and can be read."""
        with self._lock, self._records.reading():
            rows = self._records.entry_rows(entries)
            pictures = [self._records.picture(row.entry) for row in rows]
        opened = [
            (row.entry, self._open(picture, f"entry {row.entry}", row))
            for row, picture in zip(rows, pictures, strict=True)
        ]
        readable = [(number, image) for number, image in opened if image is not None]
        if not readable:
            return []
        vectors, texts = self._model.both_vectors([image for _, image in readable])
        return [
            NewVector(number, vectors[place], None if texts is None else texts[place])
            for place, (number, _) in enumerate(readable)
        ]

    def embed_negatives(self, negatives: Sequence[int]) -> list[NewVector]:
        """Embed those of some negative examples that lack a vector and can be read."""
        with self._lock, self._records.reading():
            missing = self._records.missing_vectors(self._model.fingerprint, negatives=True)
            chosen = sorted(set(negatives) & set(missing))
            pictures = [self._records.negative_picture(number) for number in chosen]
        opened = [
            (number, self._open(picture, f"negative example {number}"))
            for number, picture in zip(chosen, pictures, strict=True)
        ]
        readable = [(number, image) for number, image in opened if image is not None]
        if not readable:
            return []
        vectors = self._model.vectors([image for _, image in readable])
        return [NewVector(number, vectors[place]) for place, (number, _) in enumerate(readable)]

    def check(self) -> None:
        """Refuse to go on where pictures could not be read.

        Raises:
            GalleryError: There are such; some of them are told.
        """
        if not self._faults:
            return
        place = self._records.place
        told = shorten_list(
            [f"{what}: {fault}" for what, fault in self._faults.items()],
            limit=_FAULTS_TOLD,
            separator="; ",
        )
        raise GalleryError(
            f"{counted(len(self._faults), 'picture')} of {place} cannot be embedded anew, so the "
            f"old vectors are searched as before: {told}. Put the pictures back where they were, "
            f"or erase them (promptreid gallery erase {place} --entry N; promptreid gallery not "
            f"{place} --remove N), and give the command again; it goes on where it was."
        )

    def _open(
        self, picture: Picture, what: str, row: EntryRow | None = None
    ) -> GalleryImage | None:
        """Open a picture as it was enrolled; None where it is not that any more, which is noted."""
        fault = find_fault(picture)
        if fault is not None:
            self._faults[what] = fault
            return None
        if picture.crop is None:
            pixels = ImageSource(Path(picture.path or ""), parse_box(picture.box))
        else:  # which is decoded where it is embedded
            pixels = ImageSource(Path(picture.path or what), content=picture.crop)
        if row is None:
            return GalleryImage(pixels)
        return GalleryImage(
            pixels,
            camera=row.camera,
            view=row.attributes.get(VIEW),
            time=row.time,
            domain=row.domain,
            attributes=row.attributes,
        )
