"""All vectors in memory, multiplied with every query."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.cosines import find_largest, multiply
from promptreid.gallery.searching.entry_table import EntryTable, TableChange
from promptreid.gallery.searching.growing_array import GrowingArray
from promptreid.gallery.searching.indexes.vector_index import Nearest

_FEW = 0.25
"""Where fewer rows than this part may answer, they are picked out before they are multiplied."""
_SCORES_AT_A_TIME = 1 << 25
_ROWS_AT_A_TIME = 1 << 16


class ExactIndex:
    """Every score is computed, and nothing is kept."""

    kind = "exact"

    def __init__(self) -> None:
        """Begin without a vector."""
        self.clear()

    def clear(self) -> None:
        """Forget all vectors."""
        self._vectors: GrowingArray | None = None

    def follow(self, table: EntryTable, change: TableChange, records: Records) -> None:
        """Take over what became of a table."""
        if change.anew:
            self.clear()
        if self._vectors is not None and change.kept is not None:
            self._vectors.keep(change.kept)
        for start in range(self._count(), len(table), _ROWS_AT_A_TIME):
            read = records.vectors(table.entries[start : start + _ROWS_AT_A_TIME].tolist())
            if self._vectors is None:
                self._vectors = GrowingArray(np.float32, read.shape[1:])
            self._vectors.extend(read)

    def settle(self) -> None:
        """Do nothing: nothing is kept."""

    def close(self) -> None:
        """Forget all vectors."""
        self.clear()

    def stored_bytes(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return nothing: nothing is kept."""
        return []

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors (N, d) of some rows."""
        return self._all()[rows]

    def score(self, queries: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return cosines (Q, N) of queries to some rows."""
        return multiply(queries, self._all()[rows])

    def search(self, queries: NDArray[np.float32], conditions: Conditions, length: int) -> Nearest:
        """Find the entries that are most alike; none that is left out scores higher."""
        length = min(length, self._count())
        rows = np.full((len(queries), length), -1, np.int64)
        scores = np.full((len(queries), length), -np.inf, np.float32)
        candidates = _pick_few(conditions.mask)
        vectors = self._all() if candidates is None else self._all()[candidates]
        count = min(length, len(vectors))
        step = max(1, _SCORES_AT_A_TIME // max(1, len(vectors)))
        for start in range(0, len(queries), step):
            part = np.arange(start, min(len(queries), start + step))
            values = multiply(queries[part], vectors)
            _leave_out(values, conditions.choose(part), candidates)
            places, scores[part, :count] = find_largest(values, count)
            rows[part, :count] = places if candidates is None else candidates[places]
        rows[scores == -np.inf] = -1
        return Nearest(rows, scores)

    def _count(self) -> int:
        return 0 if self._vectors is None else len(self._vectors.values)

    def _all(self) -> NDArray[np.float32]:
        return np.zeros((0, 0), np.float32) if self._vectors is None else self._vectors.values


def _pick_few(mask: NDArray[np.bool_] | None) -> NDArray[np.int64] | None:
    """Return the rows that may answer where they are few; None where they are many."""
    if mask is None or np.count_nonzero(mask) >= _FEW * len(mask):
        return None
    return np.flatnonzero(mask)


def _leave_out(
    values: NDArray[np.float32], conditions: Conditions, candidates: NDArray[np.int64] | None
) -> None:
    """Set the scores of rows that may not answer to -inf."""
    if conditions.mask is not None and candidates is None:
        np.copyto(values, -np.inf, where=~conditions.mask)
    if conditions.own_cameras is not None:
        cameras = conditions.table.camera_codes
        cameras = cameras if candidates is None else cameras[candidates]
        own = conditions.own_cameras[:, None]
        np.copyto(values, -np.inf, where=cameras == own)
