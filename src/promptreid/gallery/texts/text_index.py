"""The vectors of a gallery that compare with sentences, in memory; made from the records."""

from __future__ import annotations

import numpy as np

from promptreid.errors import GalleryError
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.vector_model import VectorModel


class TextIndex:
    """Vectors for sentences as of one revision of the records; read at the first such search.

    Attributes:
        revision: Revision of the records that this is of; -1 for none.
        entries: (M,) numbers of the entries, ascending.
        vectors: (M, d) rows of length 1.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.revision = -1
        self._fingerprint: str | None = None
        self.entries = np.zeros(0, np.int64)
        self.vectors = np.zeros((0, 0), np.float32)

    def refresh(self, records: Records, model: VectorModel) -> None:
        """Read anew what changed in the records; call it within `reading`.

        Raises:
            GalleryError: The vectors of the model do not compare with sentences.
        """
        if model.text_width is not None:
            raise GalleryError(
                f"The vectors in {records.place} join several features of an image, so that they "
                "do not compare with sentences. Search by pictures, or with a model whose vector "
                "is the projected feature alone (embedding.features=[projected])."
            )
        if (records.revision(), model.fingerprint) == (self.revision, self._fingerprint):
            return
        stored = [(row.entry, vector) for row, vector in records.entries() if vector is not None]
        self.entries = np.array([entry for entry, _ in stored], np.int64)
        self.vectors = np.stack([vector for _, vector in stored]) if stored else self.vectors[:0]
        self.revision, self._fingerprint = records.revision(), model.fingerprint
