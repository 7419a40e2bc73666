"""The vectors of a gallery that compare with sentences, in memory; made from the records."""

from __future__ import annotations

import numpy as np

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
        """Take over what changed in the records; call it within `reading`.

        Where the model makes no further vector, its own one compares with sentences.
        """
        revision = records.revision()
        if revision < self.revision or model.fingerprint != self._fingerprint:
            self.clear()
        if revision == self.revision:
            return
        text = model.text_width is not None
        changed = [
            (row.entry, vector)
            for row, vector in records.entries(self.revision, text=text)
            if vector is not None
        ]
        gone = set(records.deleted(self.revision)) if self.revision >= 0 else set()
        gone |= {entry for entry, _ in changed}
        kept = ~np.isin(self.entries, list(gone))
        entries = np.array([entry for entry, _ in changed], np.int64)
        vectors = np.stack([vector for _, vector in changed]) if changed else self.vectors[:0]
        if kept.any():
            entries = np.concatenate([self.entries[kept], entries])
            vectors = np.concatenate([self.vectors[kept], vectors])
        order = np.argsort(entries, kind="stable")
        self.entries, self.vectors = entries[order], vectors[order]
        self.revision, self._fingerprint = revision, model.fingerprint
