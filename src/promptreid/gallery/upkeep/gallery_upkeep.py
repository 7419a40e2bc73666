"""Erasing, copying, exporting, checking and mending a gallery, and saying what it holds."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from promptreid.gallery.gallery_settings import check_audit
from promptreid.gallery.image_content import digest_image
from promptreid.gallery.opened_gallery import OpenedGallery
from promptreid.gallery.records.copying import Copied, copy_records
from promptreid.gallery.records.gallery_url import GalleryUrl
from promptreid.gallery.records.open_records import open_or_create_records
from promptreid.gallery.upkeep.erasure import Erased, erase_entries
from promptreid.gallery.upkeep.gallery_check import Finding, find_problems, mend_records
from promptreid.gallery.upkeep.gallery_export import Exported, export_entries
from promptreid.gallery.upkeep.gallery_facts import GalleryCounts, GalleryFacts, gather_facts
from promptreid.gallery.upkeep.reembedding import Reembedded, reembed_gallery
from promptreid.gallery.upkeep.refusals import allow_contents
from promptreid.gallery.vector_model import GalleryImage, Pixels, VectorModel, as_image
from promptreid.progress import Progress, Silent


class GalleryUpkeep(OpenedGallery):
    """The part of a gallery that looks after it as a whole."""

    def erase(
        self,
        identity: str | int | None = None,
        entries: Sequence[int] = (),
        *,
        seen: int | None = None,
        refuse: bool = False,
        asked_by: str = "",
    ) -> Erased:
        """Remove an identity, or single entries, for good, and prove it.

        The store is rewritten and every file of it is read for pieces of what was erased. Where a
        gallery keeps paths, the image files themselves are not touched. Audit records that name
        what is erased lose their content and keep their place in the chain; another one says so.

        Args:
            identity: Name or number of somebody, or
            entries: numbers of entries.
            seen: Version of the identity that was seen.
            refuse: Whether the same contents must not be enrolled again; `allow` undoes it.
            asked_by: Who asks, for the audit records.

        Raises:
            GalleryError: There is no such identity or entry, or the identity is not as it was
                `seen`; or the store is in use, when the rest is done at the next opening.
        """
        with self._lock:
            return erase_entries(
                self.records,
                self._state,
                identity,
                entries,
                seen=seen,
                refuse=refuse,
                note=lambda numbers: self.audit.note_erasure(numbers, asked_by),
            )

    def allow(self, images: Sequence[GalleryImage | Pixels | str]) -> int:
        """Let images be enrolled that were refused since they were erased.

        Returns:
            How many of them were.

        Raises:
            UnreadableImage: An image cannot be read.
        """
        hashes = [digest_image(as_image(image)) for image in images]
        with self._lock, self.records.writing():
            return allow_contents(self.records, hashes)

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
            return find_problems(self.records, self._state, progress or Silent())

    def mend(self, progress: Progress | None = None) -> None:
        """Compute anew all that follows from the entries, and finish what an erasure left to do."""
        with self._lock:
            mend_records(self.records, self._state, progress or Silent())

    def info(self) -> GalleryFacts:
        """Return what a gallery holds, and what it can promise."""
        with self._lock:
            self._state.refresh(self.records)
            state = self._state
            counts = GalleryCounts(
                len(state.table),
                int((~state.table.visible).sum()),
                len(state.names),
                state.null_scores(),
            )
            return gather_facts(self.records, counts, self.settings)

    def copy(self, place: str | Path | GalleryUrl, progress: Progress | None = None) -> Copied:
        """Copy everything to a new place, and compare both; all of it or nothing is kept.

        Args:
            place: A folder or the URL of a database, where nothing is, or an empty gallery such as
                an interrupted copy leaves.
            progress: Told of images.

        Raises:
            GalleryError: The place holds something, or the copy is not the same.
        """
        target = open_or_create_records(place, self.records.settings())
        with contextlib.closing(target), self._lock:
            return copy_records(self.records, target, progress)

    def reembed(
        self, model: VectorModel, *, keep_old: bool = False, progress: Progress | None = None
    ) -> Reembedded:
        """Make vectors of another model for everything, and search those from then on.

        Others search and add as before until the switch. After an interruption the same call goes
        on where it was. The gallery may be open without a model; it has the new one afterwards.

        Args:
            model: Makes the new vectors.
            keep_old: Whether the old vectors stay, for switching back.
            progress: Told of images once their vector is on the disk.

        Raises:
            GalleryError: The model is searched already, or pictures cannot be read any more; then
                nothing is switched.
        """

        def adopt() -> None:
            self._model = model

        return reembed_gallery(
            self.records,
            self._state,
            model,
            self.settings.aggregate,
            keep_old=keep_old,
            adopt=adopt,
            progress=progress or Silent(),
        )

    def set_audit(self, audit: str) -> None:
        """Choose which uses are written down, from the next opening on; see `AUDITS`.

        Raises:
            GalleryError: There is no such choice.
        """
        with self._lock, self.records.writing():
            self.records.set_setting("audit", check_audit(audit))
