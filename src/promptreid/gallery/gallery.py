"""The object that people use: enrol, search, name, hide and erase."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from promptreid.errors import GalleryError
from promptreid.gallery.enrolment import Enrolled, enrol_batch
from promptreid.gallery.erasure import Erased, erase_entries
from promptreid.gallery.further_searches import FurtherSearches
from promptreid.gallery.gallery_check import Finding, find_problems, mend_records
from promptreid.gallery.gallery_export import Exported, export_entries
from promptreid.gallery.gallery_facts import GalleryFacts, gather_facts
from promptreid.gallery.gallery_settings import GallerySettings, check_rate
from promptreid.gallery.identity_changes import check_name
from promptreid.gallery.records.record_rows import ModelRow
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.records.sqlite_records import SqliteRecords
from promptreid.gallery.searching.answer import Answer, Neighbour
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.searching.indexes.index_choice import AUTOMATIC
from promptreid.gallery.searching.search_state import SearchState
from promptreid.gallery.shard_enrolment import open_embedded
from promptreid.gallery.vector_model import (
    EmbedderModel,
    GalleryImage,
    Pixels,
    VectorModel,
    as_image,
    check_model,
)
from promptreid.progress import Progress, Silent

if TYPE_CHECKING:
    from promptreid.inference.embedder import Embedder

BATCH = 256
"""Images that are embedded and committed at a time."""


class Gallery(FurtherSearches):
    """Enrolled images, searchable; several threads and processes may use one.

    What a method has returned is on the disk. A method that raises has changed nothing, but for
    `add`, which keeps the batches before.

    Attributes:
        records: What must not be lost.
        settings: What the gallery was created with.

    Example:
        >>> gallery = Gallery.create("people.gallery", promptreid.load("runs/mine"))
        >>> gallery.add(["1.jpg", "2.jpg"], ["anna", "ben"])
        >>> gallery.search(["photo.jpg"])[0].identity
    """

    def __init__(
        self, records: Records, model: VectorModel | None = None, index: str = AUTOMATIC
    ) -> None:
        """Take records that are open, the model that makes vectors, and the name of an index.

        Raises:
            GalleryError: The vectors in the records are another model's, or there is no such index.
        """
        self.settings = GallerySettings.from_texts(records.settings())
        super().__init__(records, SearchState(self.settings.aggregate, index), model)
        stored = records.model()
        if model is not None:
            check_model(model, stored, place=records.place)
            if stored is None:
                row = ModelRow(model.fingerprint, model.width, model.description)
                with self._state.changing(records):
                    records.set_model(row)
        if records.is_compaction_due:  # a process was stopped while it erased
            self._state.refresh(records)  # which wipes the files of an index
            with contextlib.suppress(GalleryError):  # in use: `check` says that it is still due
                records.compact()

    @classmethod
    def create(
        cls,
        folder: str | Path,
        embedder: Embedder,
        *,
        source: str = "",
        settings: GallerySettings | None = None,
    ) -> Self:
        """Create an empty gallery for the vectors of a model.

        Args:
            folder: A folder that is empty or not there.
            embedder: The model.
            source: Where the model lies, kept to be found again.
            settings: Choices that hold for all of the gallery.

        Raises:
            GalleryError: The folder holds something.
        """
        chosen = settings or GallerySettings()
        records = SqliteRecords.create(Path(folder), chosen.to_texts())
        return cls(records, EmbedderModel(embedder, source=source))

    @classmethod
    def open(
        cls, folder: str | Path, embedder: Embedder | None = None, *, index: str = AUTOMATIC
    ) -> Self:
        """Open a gallery, with the model where images are to be added or searched.

        Args:
            folder: Where it is.
            embedder: The model.
            index: What searches it: "exact", "bits", or "auto" for what suits its size.

        Raises:
            GalleryError: There is no gallery, it is damaged, or holds another model's vectors.
        """
        records = SqliteRecords.open(Path(folder))
        return cls(records, None if embedder is None else EmbedderModel(embedder), index)

    def close(self) -> None:
        """Let go of the records."""
        self._state.close()
        self.records.close()

    def add(
        self,
        images: Sequence[GalleryImage | Pixels | str],
        identities: Sequence[str],
        *,
        progress: Progress | None = None,
    ) -> Enrolled:
        """Enrol images; content that is enrolled already is passed over.

        Images are embedded and committed in batches. After an interruption the same call goes on
        where it was.

        Args:
            images: N images; `list_images` gives those of a manifest.
            identities: Name of who each shows.
            progress: Told of images once they are on the disk.

        Returns:
            What was enrolled, what was there, and what is enrolled under another name.

        Raises:
            GalleryError: There is no model, a name is empty, or another process writes too long.
            UnreadableImage: An image cannot be read; the batches before it are enrolled.
        """
        model, progress = self._require_model(), progress or Silent()
        if len(images) != len(identities):
            raise GalleryError(f"There are {len(images)} images but {len(identities)} identities.")
        names = [check_name(name) for name in identities]
        opened = [as_image(image) for image in images]
        progress.start("enrolling", len(images), "images")
        total = Enrolled()
        for start in range(0, len(opened), BATCH):
            part = slice(start, start + BATCH)
            total += enrol_batch(
                self.records,
                self._state,
                model,
                opened[part],
                names[part],
                keep=self.settings.keep,
            )
            progress.advance(len(opened[part]))
        progress.finish()
        return total

    def add_embedded(
        self, folder: str | Path, *, prefix: str = "", progress: Progress | None = None
    ) -> Enrolled:
        """Enrol what `promptreid embed` made of images, without embedding them again.

        The images must be at hand: each is compared with the hash that its vector was made of. No
        model is needed.

        Args:
            folder: The folder of Parquet files.
            prefix: What is put before the names of identities.
            progress: Told of images once they are on the disk.

        Raises:
            GalleryError: The vectors are another model's or do not fit in another way, or the
                images are others than were embedded.
            RunError: The folder is none of `promptreid embed`, or is not complete.
            UnreadableImage: An image is not there; the batches before it are enrolled.
        """
        with self._lock:
            stored = self.records.model()
        embedded = open_embedded(Path(folder), stored, place=self.records.place)
        progress, total = progress or Silent(), Enrolled()
        progress.start("enrolling", len(embedded.sharded), "images")
        for batch in embedded:
            names = [check_name(prefix + name) for name in batch.names]
            total += enrol_batch(
                self.records, self._state, batch, batch.images, names, keep=self.settings.keep
            )
            progress.advance(len(names))
        progress.finish()
        return total

    def search(
        self,
        images: Sequence[GalleryImage | Pixels | str],
        *,
        top: int = 5,
        filters: Filters | None = None,
        rate: float | None = None,
    ) -> list[Answer]:
        """Say of each image who it shows, or nobody.

        Args:
            images: Q images.
            top: Candidates that are named, two at least.
            filters: Which enrolled images may answer.
            rate: The part of strangers that may be accepted; None for the gallery's.

        Raises:
            GalleryError: There is no model, nobody is enrolled, a filter names an identity that is
                not there, or the rate is none.
            UnreadableImage: An image cannot be read.
        """
        rate = check_rate(self.settings.rate if rate is None else rate)
        filters = filters or Filters()
        with self._lock:
            for name in filters.identities or ():
                self.records.identity(name)
        queries = [as_image(image) for image in images]
        vectors = self._require_model().vectors(queries)
        cameras = [query.camera for query in queries]
        with self._lock:
            self._state.refresh(self.records)
            if not self._state.names:
                raise GalleryError(
                    f"Nobody is enrolled in {self.records.place}. Add images: promptreid gallery "
                    f"add {self.records.place} folder:/path/to/folders."
                )
            return self._state.answer(vectors, cameras, filters, top=top, rate=rate)

    def nearest(
        self,
        images: Sequence[GalleryImage | Pixels | str],
        *,
        top: int = 20,
        filters: Filters | None = None,
        rerank: bool = False,
    ) -> list[list[Neighbour]]:
        """Return the enrolled images that are most alike, best first, for each of Q images.

        Args:
            images: Q images.
            top: Enrolled images wanted for each.
            filters: Which enrolled images may answer.
            rerank: Whether the nearest are put into the order of k-reciprocal re-ranking; their
                scores stay cosines.

        Raises:
            GalleryError: The gallery was opened without a model.
            UnreadableImage: An image cannot be read.
        """
        queries = [as_image(image) for image in images]
        vectors = self._require_model().vectors(queries)
        cameras = [query.camera for query in queries]
        with self._lock:
            self._state.refresh(self.records)
            return self._state.find_nearest(
                vectors, cameras, filters or Filters(), top=top, rerank=rerank
            )

    def erase(
        self,
        identity: str | int | None = None,
        entries: Sequence[int] = (),
        *,
        seen: int | None = None,
    ) -> Erased:
        """Remove an identity, or single entries, for good, and prove it.

        The store is rewritten and every file of it is read for pieces of what was erased. Where a
        gallery keeps paths, the image files themselves are not touched.

        Raises:
            GalleryError: There is no such identity or entry, or the identity is not as it was
                `seen`; or the store is in use, when the rest is done at the next opening.
        """
        with self._lock:
            return erase_entries(self.records, self._state, identity, entries, seen=seen)

    def export(
        self, folder: str | Path, identity: str | None = None, progress: Progress | None = None
    ) -> Exported:
        """Write images and a table of them, which `csv:` reads, into a new folder.

        Args:
            folder: A folder that is empty or not there.
            identity: Somebody alone; None for everybody.
            progress: Told of images.

        Raises:
            GalleryError: The folder holds something, there is no such identity, or the gallery
                keeps only paths and an entry is a part of a picture.
        """
        with self._lock:
            return export_entries(self.records, Path(folder), identity, progress or Silent())

    def check(self, progress: Progress | None = None) -> list[Finding]:
        """Look for everything that can be wrong, each with what mends it; all pictures are read."""
        with self._lock:
            self._state.refresh(self.records)
            return find_problems(self.records, self._state, progress or Silent())

    def mend(self) -> None:
        """Compute anew all that follows from the entries, and finish what an erasure left to do."""
        with self._lock:
            mend_records(self.records, self._state)

    def info(self) -> GalleryFacts:
        """Return what a gallery holds, and what it can promise."""
        with self._lock:
            self._state.refresh(self.records)
            return gather_facts(self.records, self._state, self.settings)
