"""The object that people use: enrol, search, name, hide and erase."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from promptreid.errors import GalleryError
from promptreid.gallery.audit.audited_answers import describe_answers, describe_neighbours
from promptreid.gallery.enrolment import Enrolled, enrol_batch
from promptreid.gallery.further_searches import FurtherSearches
from promptreid.gallery.gallery_settings import GallerySettings, check_rate
from promptreid.gallery.identity_changes import IdentityChanges, check_name
from promptreid.gallery.negative_examples import NegativeExamples
from promptreid.gallery.records.gallery_url import GalleryUrl, parse_gallery_url
from promptreid.gallery.records.open_records import create_records, open_records
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.answer import Answer, Neighbour
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.searching.indexes.index_choice import AUTOMATIC
from promptreid.gallery.upkeep.gallery_upkeep import GalleryUpkeep
from promptreid.gallery.vector_model import (
    GalleryImage,
    Pixels,
    VectorModel,
    as_image,
)
from promptreid.progress import Progress, Silent
from promptreid.progress.counted_task import counting

if TYPE_CHECKING:
    from promptreid.inference.embedder import Embedder

BATCH = 256
"""Images that are embedded and committed at a time."""


class Gallery(FurtherSearches, IdentityChanges, NegativeExamples, GalleryUpkeep):
    """A store of pictures of known individuals, which says who a new picture shows, or nobody.

    Several threads and processes may use one.

    What a method has returned is on the disk. A method that raises has changed nothing, but for
    `add`, which keeps the batches before.

    Example:
        >>> gallery = Gallery.create("people.gallery", promptreid.load("runs/mine"))
        >>> gallery.add(["1.jpg", "2.jpg"], ["anna", "ben"])
        >>> gallery.search(["photo.jpg"])[0].identity
    """

    @classmethod
    def create(
        cls,
        place: str | Path | GalleryUrl,
        embedder: Embedder,
        *,
        source: str = "",
        settings: GallerySettings | None = None,
    ) -> Self:
        """Create an empty gallery for the vectors of a model.

        Args:
            place: A folder that is empty or not there, or the URL of a schema of a database that is
                (`postgresql://HOST/DATABASE/GALLERY`).
            embedder: The model.
            source: Where the model lies, kept to be found again; "" for where it was loaded from.
            settings: Choices that hold for all of the gallery.

        Raises:
            GalleryError: The place holds something, or cannot be reached.
        """
        if isinstance(embedder, str | Path):
            raise GalleryError(
                "A gallery is made with a model that is loaded: "
                f"promptreid.load({str(embedder)!r})."
            )
        from promptreid.gallery.embedder_model import EmbedderModel  # loads PyTorch

        chosen = settings or GallerySettings()
        url = parse_gallery_url(place)
        records = create_records(url, chosen.to_texts())
        index = url.index or AUTOMATIC
        if not source and embedder.source is not None:
            source = str(embedder.source.absolute())
        return cls._opened(records, EmbedderModel(embedder, source=source), index)

    @classmethod
    def open(
        cls,
        place: str | Path | GalleryUrl,
        embedder: Embedder | None = None,
        *,
        index: str = AUTOMATIC,
        in_service: bool = False,
        progress: Progress | None = None,
    ) -> Self:
        """Open a gallery, with the model where images are to be added or searched.

        Args:
            place: A folder, or the URL of a database as in `create`.
            embedder: The model.
            index: What searches it, one of `index_choice.KINDS` ("auto" is what suits its place and
                size); what the URL names comes first.
            in_service: Whether a service answers its clients from it, whose uses are written down
                unless the gallery's settings say otherwise.
            progress: Told of an index of many entries while it is made.

        Raises:
            GalleryError: There is no gallery, it cannot be reached, it is damaged, or holds another
                model's vectors.
        """
        url = parse_gallery_url(place)
        index = url.index or index
        model = None
        if embedder is not None:
            from promptreid.gallery.embedder_model import EmbedderModel  # loads PyTorch

            model = EmbedderModel(embedder)
        return cls._opened(
            open_records(url), model, index, in_service=in_service, progress=progress
        )

    @classmethod
    def _opened(
        cls,
        records: Records,
        model: VectorModel | None,
        index: str,
        *,
        in_service: bool = False,
        progress: Progress | None = None,
    ) -> Self:
        """Take records that were opened for this, and close them where they do not fit."""
        try:
            return cls(records, model, index, in_service=in_service, progress=progress)
        except BaseException:
            records.close()
            raise

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
        self._make_ready()
        total = Enrolled()
        with counting(progress, "enrolling", len(images), "images"):
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
        from promptreid.gallery.shard_enrolment import open_embedded  # loads PyTorch

        with self._lock:
            stored = self.records.model()
        embedded = open_embedded(Path(folder), stored, place=self.records.place)
        progress, total = progress or Silent(), Enrolled()
        self._make_ready()
        with counting(progress, "enrolling", len(embedded.sharded), "images"):
            for batch in embedded:
                names = [check_name(prefix + name) for name in batch.names]
                total += enrol_batch(
                    self.records, self._state, batch, batch.images, names, keep=self.settings.keep
                )
                progress.advance(len(names))
        return total

    def search(
        self,
        images: Sequence[GalleryImage | Pixels | str],
        *,
        top: int = 5,
        filters: Filters | None = None,
        rate: float | None = None,
        asked_by: str = "",
    ) -> list[Answer]:
        """Say of each image who it shows, or nobody.

        Args:
            images: Q images.
            top: Candidates that are named, two at least.
            filters: Which enrolled images may answer.
            rate: The part of strangers that may be accepted; None for the gallery's.
            asked_by: Who asks, for the audit records where uses are written down.

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
        cameras = [query.camera for query in queries]
        with self._embedding(queries) as vectors:
            if not self._state.names:
                raise GalleryError(
                    f"Nobody is enrolled in {self.records.place}. Add images: promptreid gallery "
                    f"add {self.records.place} folder:/path/to/folders."
                )
            answers = self._state.answer(vectors, cameras, filters, top=top, rate=rate)
            basis = self._find_basis()
        if self.audit.is_on:
            self.audit.note(describe_answers(queries, answers, asked_by), basis)
        return answers

    def nearest(
        self,
        images: Sequence[GalleryImage | Pixels | str],
        *,
        top: int = 20,
        filters: Filters | None = None,
        rerank: bool = False,
        asked_by: str = "",
    ) -> list[list[Neighbour]]:
        """Return the enrolled images that are most alike, best first, for each of Q images.

        Args:
            images: Q images.
            top: Enrolled images wanted for each, one at least.
            filters: Which enrolled images may answer.
            rerank: Whether the nearest are put into the order of k-reciprocal re-ranking; their
                scores stay cosines.
            asked_by: Who asks, for the audit records.

        Raises:
            GalleryError: The gallery was opened without a model.
            UnreadableImage: An image cannot be read.
        """
        queries = [as_image(image) for image in images]
        cameras = [query.camera for query in queries]
        with self._embedding(queries) as vectors:
            near = self._state.find_nearest(
                vectors, cameras, filters or Filters(), top=top, rerank=rerank
            )
            basis = self._find_basis()
        if self.audit.is_on:
            self.audit.note(describe_neighbours(queries, near, asked_by), basis)
        return near
