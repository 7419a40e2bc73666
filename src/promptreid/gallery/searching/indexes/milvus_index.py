"""Vectors searched by Milvus, as a copy that is compared with the records and made good."""

from __future__ import annotations

import contextlib
import time

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import GalleryError
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.cosines import multiply
from promptreid.gallery.searching.entry_table import EntryTable, TableChange
from promptreid.gallery.searching.indexes.milvus_collection import LONGEST, MilvusCollection
from promptreid.gallery.searching.indexes.vector_index import Nearest

COMPARED_SECONDS = 10.0
"""How long the number of rows is taken to be what it was."""

_FEW = 2048
"""Where no more entries than these may answer, their vectors are read and multiplied."""
_MORE = 32
_GROWTH = 4
_ROWS_AT_A_TIME = 4096


class MilvusIndex:
    """Candidates come from Milvus, scores from the exact vectors of the records.

    Milvus may lose rows when it is killed, and other processes may change the collection. So it is
    compared with the table when a gallery is opened, by the number of rows and a digest that was
    noted when the gallery was closed, or else row by row; and by the number of rows from time to
    time. What differs is made good from the records. Conditions are looked after here: Milvus knows
    numbers and vectors alone.
    """

    kind = "milvus"

    def __init__(self, url: str) -> None:
        """Connect.

        Raises:
            GalleryError: The URL is none, or the server cannot be reached.
        """
        self._collection = MilvusCollection(url)
        self.clear()

    def clear(self) -> None:
        """Forget the table; the collection is compared with the next one."""
        self._table = EntryTable()
        self._records: Records | None = None
        self._there = np.empty(0, np.int64)
        """(M,) entries that the collection holds, ascending."""
        self._new = np.empty(0, np.int64)
        """Entries that it does not hold yet."""
        self._compared = -np.inf
        self._noted = False
        """Whether what is noted of the collection is what it holds."""

    def follow(self, table: EntryTable, change: TableChange, records: Records) -> None:
        """Take over what became of a table; a new one is compared with the collection."""
        self._table, self._records = table, records
        if change.anew:
            self._compare()
        self._new = np.setdiff1d(table.entries, self._there, assume_unique=True)

    def settle(self) -> None:
        """Bring the collection to the table, now that it is committed."""
        if self._records is None:
            return
        gone = np.setdiff1d(self._there, self._table.entries, assume_unique=True)
        if len(gone) or len(self._new):
            if self._noted:
                self._collection.set_note("")
                self._noted = False
            self._collection.delete(gone)
            self._put(self._new)
            self._there = self._table.entries.copy()
            self._new = np.empty(0, np.int64)
            self._compared = time.monotonic()

    def close(self) -> None:
        """Note what the collection is of, so that it need not be compared row by row."""
        if self._records is not None and not self._noted:
            with contextlib.suppress(GalleryError):  # without a note it is compared row by row
                if len(self._table) == len(self._there):
                    self._collection.set_note(self._table.digest)
        self._collection.close()

    def stored_bytes(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return nothing: no file of this machine holds anything."""
        return []

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors (N, d) of some rows."""
        return self._read(self._table.entries[rows])

    def score(self, queries: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return exact cosines (Q, N) of queries to some rows."""
        return multiply(queries, self.vectors(rows))

    def search(self, queries: NDArray[np.float32], conditions: Conditions, length: int) -> Nearest:
        """Find the entries that are most alike, as far as Milvus finds them."""
        length = min(length, len(self._table))
        rows = np.full((len(queries), length), -1, np.int64)
        scores = np.full((len(queries), length), -np.inf, np.float32)
        left = np.arange(len(queries) if length else 0)
        limit = length + _MORE
        if np.count_nonzero(conditions.allowed) <= _FEW:
            candidates = [np.flatnonzero(conditions.allowed)] * len(left)
            self._rank(queries, left, candidates, conditions, rows, scores)
            return Nearest(rows, scores)
        self._compare_number()
        while len(left):
            limit = min(limit, LONGEST)
            found = self._collection.search(queries[left], limit)
            candidates = [self._find_rows(entries) for entries in found]
            self._rank(queries, left, candidates, conditions, rows, scores)
            short = np.array([len(one) == limit for one in found]) & (rows[left] < 0).any(1)
            left = left[short]
            if limit == LONGEST and len(left):
                candidates = [np.flatnonzero(conditions.allowed)] * len(left)
                self._rank(queries, left, candidates, conditions, rows, scores)
                break
            limit *= _GROWTH
        return Nearest(rows, scores)

    def _rank(
        self,
        queries: NDArray[np.float32],
        places: NDArray[np.int64],
        candidates: list[NDArray[np.int64]],
        conditions: Conditions,
        rows: NDArray[np.int64],
        scores: NDArray[np.float32],
    ) -> None:
        """Write the best of some candidates for some queries, by exact scores."""
        for place, few in zip(places.tolist(), candidates, strict=True):
            may = few[conditions.may_answer(place, few)]
            exact = np.concatenate(
                [
                    self.score(queries[place : place + 1], may[start : start + _ROWS_AT_A_TIME])[0]
                    for start in range(0, len(may), _ROWS_AT_A_TIME)
                ]
                or [np.empty(0, np.float32)]
            )
            order = np.argsort(-exact, kind="stable")[: rows.shape[1]]
            rows[place, : len(order)] = may[order]
            scores[place, : len(order)] = exact[order]

    def _find_rows(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of entries that are in the table, and of those not in the collection."""
        rows = self._table.find_rows(np.concatenate([entries, self._new]))
        return np.unique(rows[rows >= 0])

    def _compare(self) -> None:
        """Compare the collection with the table, and make good what differs."""
        table = self._table
        if table.fingerprint is None:
            return  # no model has made a vector yet
        self._collection.prepare(self._read(table.entries[:1]).shape[1])
        self._noted = (
            self._collection.count() == len(table) and self._collection.note() == table.digest
        )
        if not self._noted:
            self._make_good()
        self._there = table.entries.copy()
        self._compared = time.monotonic()

    def _compare_number(self) -> None:
        """Compare the number of rows from time to time, since a server may lose some."""
        if time.monotonic() - self._compared < COMPARED_SECONDS:
            return
        self._collection.prepare(self._read(self._table.entries[:1]).shape[1])
        if self._collection.count() != len(self._there):
            self._make_good()
            self._there, self._new = self._table.entries.copy(), np.empty(0, np.int64)
        self._compared = time.monotonic()

    def _make_good(self) -> None:
        """Write what the collection lacks or has of other contents, and remove what is too much."""
        table = self._table
        self._collection.set_note("")
        entries, contents = self._collection.list_rows()
        rows = table.find_rows(entries)
        self._collection.delete(entries[rows < 0])
        right = rows >= 0
        right[right] = contents[right] == table.draws[rows[right]]
        self._put(np.setdiff1d(table.entries, entries[right], assume_unique=True))

    def _put(self, entries: NDArray[np.int64]) -> None:
        for start in range(0, len(entries), _ROWS_AT_A_TIME):
            part = entries[start : start + _ROWS_AT_A_TIME]
            contents = self._table.draws[self._table.find_rows(part)]
            self._collection.put(part, contents, self._read(part))

    def _read(self, entries: NDArray[np.int64]) -> NDArray[np.float32]:
        assert self._records is not None, "follow comes first"
        return self._records.vectors(entries.tolist())
