"""Vectors of the images that stand for identities, kept where reading them takes long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.growing_array import GrowingArray
from promptreid.gallery.searching.indexes.vector_index import Index

_READING = ("bits", "pgvector", "hnsw", "milvus")
"""Kinds of index that read vectors from files or a server."""

_MOST_BYTES = 256 << 20


class StandInVectors:
    """What the null sample compares with every image that is enrolled.

    An index that has vectors in files or on a server would read all of them at every enrolment,
    though hardly any is another than before. They are told by number and content hash, so that what
    was rolled back, whose numbers are given again, is never taken for what has them now.
    """

    def __init__(self) -> None:
        """Begin without a vector."""
        self.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self._fingerprint: str | None = None
        self._entries = np.empty(0, np.int64)
        self._draws = np.empty(0, np.uint64)
        self._places = np.empty(0, np.int64)
        """(N,) where the vector of each entry is; entries ascend."""
        self._vectors: GrowingArray | None = None

    def follow(self, table: EntryTable, index: Index, rows: NDArray[np.int64]) -> None:
        """Have the vectors of these rows (N,), and read those that are new.

        Nothing is kept where the index has them at hand, or where they are too many. What is not
        among them any more goes when it is as much as what is.
        """
        if index.kind not in _READING or not len(rows):
            self.clear()
            return
        places = self._find(table, rows)
        if (places < 0).all() or len(self._entries) > 2 * len(rows):
            self.clear()
            places = np.full(len(rows), -1)
        new = rows[places < 0]
        if not len(new):
            return
        first = index.vectors(new[:1])  # which says how long a vector is
        if (len(self._entries) + len(new)) * first.nbytes > _MOST_BYTES:
            self.clear()
            return
        self._append(table, new[:1], first)
        self._append(table, new[1:], index.vectors(new[1:]))

    def read(self, table: EntryTable, index: Index, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors (N, d) of some of the rows that `follow` was given last."""
        if self._vectors is None:
            return index.vectors(rows)
        places = self._find(table, rows)
        first, count = int(places[0]) if len(places) else 0, len(places)
        if np.array_equal(places, np.arange(first, first + count)):
            return self._vectors.values[first : first + count]
        return self._vectors.values[places]

    def _append(
        self, table: EntryTable, rows: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> None:
        if self._vectors is None:
            self._fingerprint = table.fingerprint
            self._vectors = GrowingArray(np.float32, vectors.shape[1:])
        start = len(self._vectors.values)
        self._vectors.extend(vectors)
        kept = ~np.isin(self._entries, table.entries[rows])  # they may have been of other content
        entries = np.concatenate([self._entries[kept], table.entries[rows]])
        draws = np.concatenate([self._draws[kept], table.draws[rows]])
        places = np.concatenate([self._places[kept], np.arange(start, start + len(rows))])
        order = np.argsort(entries, kind="stable")
        self._entries, self._draws, self._places = entries[order], draws[order], places[order]

    def _find(self, table: EntryTable, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where the vector of each row is, -1 where it is not kept."""
        if self._vectors is None or self._fingerprint != table.fingerprint:
            return np.full(len(rows), -1)
        entries = table.entries[rows]
        inside = np.minimum(np.searchsorted(self._entries, entries), len(self._entries) - 1)
        same = (self._entries[inside] == entries) & (self._draws[inside] == table.draws[rows])
        return np.where(same, self._places[inside], -1)
