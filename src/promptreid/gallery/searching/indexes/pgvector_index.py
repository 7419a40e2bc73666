"""Vectors searched by PostgreSQL, in the rows of the records themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import GalleryError
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.cosines import multiply
from promptreid.gallery.searching.entry_table import EntryTable, TableChange
from promptreid.gallery.searching.indexes.vector_index import Nearest

ROUNDING = 1.1e-3
"""A cosine of two vectors of length 1, each rounded to 16 bits, differs from the exact one by less:
each number changes by a part of 2^-11 at most, so does the length of the difference of the vectors,
and sums of single precision add less than a tenth of it."""

_MORE = 32
_GROWTH = 4


@runtime_checkable
class SearchingRecords(Protocol):
    """Records that search their vectors themselves."""

    def nearest(
        self,
        query: NDArray[np.float32],
        conditions: Sequence[tuple[str, object]],
        limit: int,
        *,
        graph: bool = False,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the entries that are most alike by rounded vectors, as `PostgresNearest` does."""
        ...

    def searched_bytes(self, entries: Sequence[int]) -> list[bytes]:
        """Return the rounded vectors of some entries as bytes."""
        ...

    def vectors(self, entries: Sequence[int]) -> NDArray[np.float32]:
        """Return the exact vectors (N, width) of some entries."""
        ...

    def make_graph(self) -> None:
        """Make a graph over the rounded vectors if there is none."""


class PgvectorIndex:
    """Candidates come from vectors of 16 bits in the database, scores from the exact ones.

    Nothing is kept here or there beside the records, so that nothing can be out of date. All rows
    are scored by default, and candidates are taken until none that is left can score higher. A
    graph (HNSW) is faster in large galleries, and may miss some.

    Attributes:
        kind: "pgvector" or, with a graph, "hnsw".
    """

    def __init__(self, *, graph: bool = False) -> None:
        """Begin without a table."""
        self.kind = "hnsw" if graph else "pgvector"
        self._graph = graph
        self.clear()

    def clear(self) -> None:
        """Forget the table."""
        self._table = EntryTable()
        self._records: SearchingRecords | None = None

    def follow(self, table: EntryTable, change: TableChange, records: Records) -> None:
        """Take over what became of a table, whose vectors are in the records already.

        Raises:
            GalleryError: The records are not in PostgreSQL.
        """
        if not isinstance(records, SearchingRecords):
            raise GalleryError(
                f"The index {self.kind} searches records in PostgreSQL, and {records.place} is a "
                "folder."
            )
        self._table, self._records = table, records

    def settle(self) -> None:
        """Make the graph of the model's vectors if it is wanted and not there."""
        if self._graph and self._records is not None:
            self._records.make_graph()

    def close(self) -> None:
        """Forget the table."""
        self.clear()

    def stored_bytes(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return the vectors of 16 bits of some rows."""
        return self._find_records().searched_bytes(self._table.entries[rows].tolist())

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors (N, d) of some rows."""
        return self._find_records().vectors(self._table.entries[rows].tolist())

    def score(self, queries: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return exact cosines (Q, N) of queries to some rows."""
        return multiply(queries, self.vectors(rows))

    def search(self, queries: NDArray[np.float32], conditions: Conditions, length: int) -> Nearest:
        """Find the entries that are most alike; without a graph none that is left scores higher."""
        length = min(length, len(self._table))
        rows = np.full((len(queries), length), -1, np.int64)
        scores = np.full((len(queries), length), -np.inf, np.float32)
        for place, query in enumerate(queries if length else ()):
            best, exact = self._search_one(query, place, conditions, length)
            rows[place, : len(best)] = best
            scores[place, : len(best)] = exact
        return Nearest(rows, scores)

    def _search_one(
        self, query: NDArray[np.float32], place: int, conditions: Conditions, length: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows of the best entries for one query, and their scores, best first."""
        records, limit = self._find_records(), length + _MORE
        where = _describe(conditions, place)
        while True:
            entries, rounded = records.nearest(query, where, limit, graph=self._graph)
            rows = self._table.find_rows(entries)
            rows = rows[rows >= 0]  # what another process enrolled just now is not in the table yet
            rows = rows[conditions.may_answer(place, rows)]
            exact = self.score(query[None], rows)[0]
            order = np.argsort(-exact, kind="stable")[:length]
            enough = len(order) == length and (
                self._graph or exact[order[-1]] >= rounded[-1] + ROUNDING
            )
            if enough or len(entries) < limit:
                return rows[order], exact[order]
            limit *= _GROWTH

    def _find_records(self) -> SearchingRecords:
        assert self._records is not None, "follow comes first"
        return self._records


def _describe(conditions: Conditions, place: int) -> list[tuple[str, object]]:
    """Turn the conditions of one query into conditions of SQL, each with its value."""
    if conditions.mask is None and conditions.own_cameras is None:
        return []
    filters = conditions.filters
    described: list[tuple[str, object]] = [("hidden = ?", False)]
    if conditions.identities is not None:
        described.append(("identity = ANY(?)", list(conditions.identities)))
    for column, names in (("camera", filters.cameras), ("domain", filters.domains)):
        if names is not None:
            described.append((f"{column} = ANY(?)", list(names)))
    if filters.since is not None:
        described.append(("time >= ?", filters.since))
    if filters.until is not None:
        described.append(("time <= ?", filters.until))
    camera = conditions.cameras[place] if filters.other_cameras else None
    if camera is not None:
        described.append(("camera IS DISTINCT FROM ?", camera))
    return described
