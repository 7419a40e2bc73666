"""What every verb of a gallery works on: records, what follows from them, the model, the audit."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import GalleryError
from promptreid.gallery.audit.audit_log import AuditLog, Basis
from promptreid.gallery.gallery_settings import GallerySettings
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.indexes.index_choice import AUTOMATIC
from promptreid.gallery.searching.indexes.segment_guard import keeping_erased_out
from promptreid.gallery.searching.search_state import SearchState
from promptreid.gallery.vector_model import (
    GalleryImage,
    VectorModel,
    check_model,
    check_still_searched,
    describe_model,
)
from promptreid.progress import Progress


class OpenedGallery:
    """A gallery that is open.

    Attributes:
        records: What must not be lost.
        settings: The gallery's settings as they were when it was opened.
        audit: What it was used for.
    """

    def __init__(
        self,
        records: Records,
        model: VectorModel | None = None,
        index: str = AUTOMATIC,
        *,
        in_service: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Take records that are open, the model that makes vectors, and the name of an index.

        Args:
            records: What must not be lost.
            model: Makes vectors; None where none are to be made.
            index: What searches it: "exact", "bits", or "auto" for what suits its size.
            in_service: Whether a service answers its clients from it, whose uses are written down
                unless the gallery's settings say otherwise.
            progress: Told of an index of many entries while it is made.

        Raises:
            GalleryError: The vectors in the records are another model's, or there is no such index.
        """
        self.records = records
        self.settings = GallerySettings.from_texts(records.settings())
        self._state = SearchState(self.settings.aggregate, index, progress)
        self._lock = self._state.lock
        self._model = model
        self.audit = AuditLog(
            records, self._lock, is_on=self.settings.is_audited(in_service=in_service)
        )
        stored = records.model()
        if model is not None:
            check_model(model, stored, place=records.place)
            if stored is None:
                with self._state.changing(records):
                    records.set_model(describe_model(model))
        if records.is_compaction_due:  # a process was stopped while it erased
            self._state.refresh(records)  # which wipes the files of an index
            with contextlib.suppress(GalleryError):  # in use: `check` says that it is still due
                records.compact()
                with keeping_erased_out(records):
                    pass  # nobody is there to look for what the other process has erased

    def close(self) -> None:
        """Let go of the records."""
        self._state.close()
        self.records.close()

    def adopt(self, model: VectorModel) -> None:
        """Go on with the model whose vectors are searched by now, after a change by somebody else.

        Raises:
            ModelSwitchedError: It is another one.
        """
        with self._lock:
            check_still_searched(self.records.place, model, self.records.model())
            self._model = model

    @contextlib.contextmanager
    def _embedding(self, queries: Sequence[GalleryImage]) -> Generator[NDArray[np.float32]]:
        """Embed Q queries, and hold the lock on what follows from the records now.

        Yields:
            (Q, width) of the model that is searched.

        Raises:
            GalleryError: The gallery was opened without a model.
            ModelSwitchedError: Another process has changed the model.
            UnreadableImage: An image cannot be read.
        """
        while True:
            model = self._require_model()
            vectors = model.vectors(queries)
            with self._lock:
                self._state.refresh(self.records)
                if model is self._model:
                    if self._state.fingerprint != model.fingerprint:
                        check_still_searched(self.records.place, model, self.records.model())
                    yield vectors
                    return
            # Another thread has changed the model of this very object meanwhile.

    def _find_basis(self) -> Basis:
        """Return what an answer of now rests on; call it with the lock."""
        return Basis(self._state.fingerprint, self._state.table.revision)

    def _make_ready(self) -> None:
        """Take over what others changed, and tell of an index that has to be made."""
        with self._lock:
            self._state.refresh(self.records)

    def _require_model(self) -> VectorModel:
        if self._model is None:
            raise GalleryError(
                f"{self.records.place} was opened without a model, which this needs."
            )
        return self._model
