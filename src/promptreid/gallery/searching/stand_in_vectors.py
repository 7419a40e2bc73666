"""The images that stand for identities, and their vectors, kept where reading them takes long."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.growing_array import GrowingArray
from promptreid.gallery.searching.indexes.vector_index import Index

_READING = ("bits", "pgvector", "hnsw", "milvus")
"""Kinds of index that read vectors from files or a server."""

_MOST_BYTES = 256 << 20
_AT_A_TIME = 4096


def find_stand_ins(table: EntryTable, rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return the rows of the images that stand for an identity each, by code.

    Args:
        table: The entries.
        rows: Visible rows that they are chosen from; None for all.
    """
    rows = np.flatnonzero(table.visible) if rows is None else rows
    ordered = rows[np.lexsort((table.entries[rows], table.draws[rows], table.codes[rows]))]
    _, first = np.unique(table.codes[ordered], return_index=True)
    return ordered[first]


class StandInVectors:
    """What the null sample compares with every image that is enrolled.

    An index that has vectors in files or on a server would read all of them at every enrolment,
    though hardly any is another than before. They lie in the order of the codes of identities, so
    that nothing is moved when they are multiplied, and are told by number and content hash, so that
    what was rolled back, whose numbers are given again, is never taken for what has them now.
    """

    def __init__(self) -> None:
        """Begin without a vector."""
        self.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self._fingerprint: str | None = None
        self._entries, self._draws = GrowingArray(np.int64), GrowingArray(np.uint64)
        self._vectors: GrowingArray | None = None

    def read(
        self, table: EntryTable, index: Index, rows: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.integer], NDArray[np.float32]]]:
        """Give the vectors of some rows in parts, each with the codes of their identities.

        Nothing is kept where the index has them at hand, or where they are too many.

        Args:
            table: The entries.
            index: Their vectors, as far as they are not kept.
            rows: (N,) rows of different identities. Other identities may be among what is given,
                with vectors that mean nothing.
        """
        if not self._keep(table, index, rows):
            self.clear()
            for start in range(0, len(rows), _AT_A_TIME):
                part = rows[start : start + _AT_A_TIME]
                yield table.codes[part], index.vectors(part)
            return
        assert self._vectors is not None
        vectors = self._vectors.values
        for start in range(0, len(vectors), _AT_A_TIME):
            part = vectors[start : start + _AT_A_TIME]
            yield np.arange(start, start + len(part)), part

    def _keep(self, table: EntryTable, index: Index, rows: NDArray[np.int64]) -> bool:
        """Have the vectors of these rows, and read those that are new, unless they are too many."""
        identities = len(table.identity_numbers)
        if index.kind not in _READING:
            return False
        if self._fingerprint != table.fingerprint or len(self._entries.values) > identities:
            self.clear()
        room = identities - len(self._entries.values)
        if self._vectors is None or room:
            width = index.vectors(rows[:1]).shape[1:]
            if identities * 4 * width[0] > _MOST_BYTES:
                return False
            self._vectors = self._vectors or GrowingArray(np.float32, width)
            self._vectors.extend(np.zeros((room, *width), np.float32))
            self._entries.extend(np.full(room, -1))
            self._draws.extend(np.zeros(room, np.uint64))
        codes = table.codes[rows]
        is_new = self._entries.values[codes] != table.entries[rows]
        is_new |= self._draws.values[codes] != table.draws[rows]
        new = rows[is_new]
        for start in range(0, len(new), _AT_A_TIME):
            part = new[start : start + _AT_A_TIME]
            self._vectors.values[table.codes[part]] = index.vectors(part)
        self._entries.values[table.codes[new]] = table.entries[new]
        self._draws.values[table.codes[new]] = table.draws[new]
        self._fingerprint = table.fingerprint
        return True
