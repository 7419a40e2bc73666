"""Vectors of the images that stand for identities, kept where reading them takes long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.indexes.vector_index import Index

_REMOTE = ("pgvector", "hnsw", "milvus")
"""Kinds of index that read vectors from a server."""

_MOST_BYTES = 256 << 20


class StandInVectors:
    """What the null sample compares with every image that is enrolled.

    An index in PostgreSQL or Milvus would read all of them at every enrolment, though hardly any is
    another than before. They are told by number and content hash, so that what was rolled back,
    whose numbers are given again, is never taken for what has them now.
    """

    def __init__(self) -> None:
        """Begin without a vector."""
        self.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self._fingerprint: str | None = None
        self._entries = np.empty(0, np.int64)
        self._draws = np.empty(0, np.uint64)
        self._vectors = np.empty((0, 0), np.float32)

    def follow(self, table: EntryTable, index: Index, rows: NDArray[np.int64]) -> None:
        """Keep the vectors of these rows (N,) and no others, and read those that are new.

        Nothing is kept where the index has them at hand, or where they are too many.
        """
        if index.kind not in _REMOTE or not len(rows):
            self.clear()
            return
        rows = rows[np.argsort(table.entries[rows])]
        entries, draws = table.entries[rows], table.draws[rows]
        places = self._find(table, entries)
        known = places >= 0
        known[known] = self._draws[places[known]] == draws[known]
        read = self._vectors[:0] if known.all() else index.vectors(rows[~known])
        vectors = np.empty((len(rows), read.shape[1]), np.float32)
        if vectors.nbytes > _MOST_BYTES:
            self.clear()
            return
        vectors[~known] = read
        if known.any():
            vectors[known] = self._vectors[places[known]]
        self._fingerprint = table.fingerprint
        self._entries, self._draws, self._vectors = entries, draws, vectors

    def read(self, table: EntryTable, index: Index, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors (N, d) of some of the rows that `follow` was given last."""
        if not len(self._entries):
            return index.vectors(rows)
        return self._vectors[self._find(table, table.entries[rows])]

    def _find(self, table: EntryTable, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place of each entry, -1 where its vector is not kept."""
        if not len(self._entries) or self._fingerprint != table.fingerprint:
            return np.full(len(entries), -1)
        places = np.searchsorted(self._entries, entries)
        inside = np.minimum(places, len(self._entries) - 1)
        return np.where(self._entries[inside] == entries, inside, -1)
