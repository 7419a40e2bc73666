"""Who is most like a query: identities ranked by one score each, over any index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.searching.aggregate import Aggregate, mean_of_best
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.cosines import (
    add_by_code,
    find_largest,
    multiply,
    scale_to_one,
)
from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.indexes.vector_index import Index
from promptreid.gallery.searching.stand_in_vectors import StandInVectors

_FIRST_LENGTH = 64
"""Entries that are asked for at first; where they settle too little, there are four times more."""
_GROWTH = 4
_ROWS_AT_A_TIME = 1 << 16
_MEANS_KEPT = 8


@dataclass(frozen=True, eq=False)
class RankedIdentities:
    """The best identities for a query, best first.

    Attributes:
        codes: (K,) their codes.
        scores: (K,) their scores.
    """

    codes: NDArray[np.int64]
    scores: NDArray[np.float32]


class IdentityRanking:
    """Ranks the identities of a table by an aggregate of the scores of their images.

    An identity is never better than its best image where the aggregate is that, or a mean of best
    images. So the nearest entries settle who is first as soon as nobody who is not among them can
    score as high as who is; until then more of them are asked for. Mean vectors are computed.

    Attributes:
        aggregate: How images become one score.
        table: The entries.
        index: Their vectors.
        stand_ins: The vectors of those that stand for an identity.
    """

    def __init__(self, aggregate: Aggregate, table: EntryTable, index: Index) -> None:
        self.aggregate = aggregate
        self.table = table
        self.index = index
        self.stand_ins = StandInVectors()
        self._means: dict[object, tuple[NDArray[np.float32], NDArray[np.int64]]] = {}

    def forget(self) -> None:
        """Forget what was computed of the table; call it when that has changed."""
        self._means = {}

    def rank(
        self,
        queries: NDArray[np.float32],
        conditions: Conditions,
        top: int,
        excluded: NDArray[np.integer] | None = None,
    ) -> list[RankedIdentities]:
        """Rank the identities for each of (Q, d) queries.

        Args:
            queries: Vectors of length 1.
            conditions: Which entries may answer.
            top: Identities wanted, K at most.
            excluded: (Q,) code of an identity that does not count; None for none.

        Returns:
            For each query, those that have an image that may answer.
        """
        if self.aggregate.kind == "mean-vector":
            return self._rank_means(queries, conditions, top, excluded)
        ranked: dict[int, RankedIdentities] = {}
        pending = np.arange(len(queries))
        length = max(_FIRST_LENGTH, _GROWTH * top)
        while len(pending):
            chosen = conditions.choose(pending)
            near = self.index.search(queries[pending], chosen, length)
            unsettled = []
            for place, query in enumerate(pending.tolist()):
                own = None if excluded is None else int(excluded[query])
                listed = near.rows[place] >= 0
                rows, scores = near.rows[place][listed], near.scores[place][listed]
                bound = float(scores[-1]) if len(rows) == length else -np.inf
                candidates = self._score(queries[query], place, chosen, rows, scores, own)
                if bound == -np.inf or _settles(candidates, top, bound):
                    ranked[query] = RankedIdentities(
                        candidates.codes[:top], candidates.scores[:top]
                    )
                else:
                    unsettled.append(query)
            pending, length = np.array(unsettled, np.int64), _GROWTH * length
        return [ranked[query] for query in range(len(queries))]

    def find_best_entries(
        self,
        query: NDArray[np.float32],
        place: int,
        conditions: Conditions,
        codes: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the row of each identity that scores best for one (d,) query, and its score.

        Args:
            query: Vector of length 1.
            place: That of the query in the conditions.
            conditions: Which entries may answer.
            codes: (K,) identities that have one that may.
        """
        rows, scores = self._score_rows(query, place, conditions, codes)
        shown = self.table.codes[rows]
        order = np.lexsort((rows, -scores, shown))
        different, first = np.unique(shown[order], return_index=True)
        best = order[first[np.searchsorted(different, codes)]]
        return rows[best], scores[best]

    def score_one_each(
        self, queries: NDArray[np.float32], codes: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the exact scores (Q,) of one identity for each of (Q, d) queries.

        Args:
            queries: Vectors of length 1.
            codes: (Q,) identities that have a visible image.
        """
        conditions = Conditions(self.table)
        if self.aggregate.kind == "mean-vector":
            means, present = self._mean_vectors(conditions, -1)
            return np.einsum("qd,qd->q", queries, means[np.searchsorted(present, codes)])
        found = np.empty(len(queries), np.float32)
        for place, (query, code) in enumerate(zip(queries, codes, strict=True)):
            rows, scores = self._score_rows(query, place, conditions, np.array([code]))
            found[place] = mean_of_best(scores, self.table.codes[rows], self.aggregate.images)[0]
        return found

    def _score(
        self,
        query: NDArray[np.float32],
        place: int,
        conditions: Conditions,
        rows: NDArray[np.int64],
        scores: NDArray[np.float32],
        own: int | None,
    ) -> RankedIdentities:
        """Rank the identities of the nearest rows of a query."""
        shown = self.table.codes[rows]
        if own is not None:
            shown, scores = shown[shown != own], scores[shown != own]
        codes, first = np.unique(shown, return_index=True)
        values = scores[first]
        if self.aggregate.images > 1:
            rows, scores = self._score_rows(query, place, conditions, codes)
            values = mean_of_best(scores, self.table.codes[rows], self.aggregate.images)
        order = np.lexsort((codes, -values))
        return RankedIdentities(codes[order].astype(np.int64), values[order])

    def _score_rows(
        self,
        query: NDArray[np.float32],
        place: int,
        conditions: Conditions,
        codes: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return all rows of some identities that may answer a query, and their scores."""
        rows = self.table.list_rows(codes)
        rows = rows[conditions.may_answer(place, rows)]
        return rows, self.index.score(query[None], rows)[0]

    def _rank_means(
        self,
        queries: NDArray[np.float32],
        conditions: Conditions,
        top: int,
        excluded: NDArray[np.integer] | None,
    ) -> list[RankedIdentities]:
        """Rank by the cosine to the mean vector; queries of one camera have the same means."""
        cameras = conditions.own_cameras
        groups = np.full(len(queries), -2) if cameras is None else cameras
        ranked: dict[int, RankedIdentities] = {}
        for camera in np.unique(groups).tolist():
            places = np.flatnonzero(groups == camera)
            means, codes = self._mean_vectors(conditions, camera)
            scores = multiply(queries[places], means)
            if excluded is not None:
                np.copyto(scores, -np.inf, where=codes == excluded[places][:, None])
            best = find_largest(scores, min(top, len(codes)))
            for place, chosen, values in zip(places.tolist(), *best, strict=True):
                there = values > -np.inf
                ranked[place] = RankedIdentities(codes[chosen[there]], values[there])
        return [ranked[query] for query in range(len(queries))]

    def _mean_vectors(
        self, conditions: Conditions, camera: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return mean vectors, of length 1, of the identities that may answer, and their codes."""
        allowed = conditions.allowed
        if camera >= 0:
            allowed = allowed & (self.table.camera_codes != camera)
        key = allowed.tobytes()
        if key not in self._means:
            if len(self._means) >= _MEANS_KEPT:
                self._means = {}
            self._means[key] = self._compute_means(np.flatnonzero(allowed))
        return self._means[key]

    def _compute_means(
        self, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        codes, places = np.unique(self.table.codes[rows], return_inverse=True)
        sums = np.zeros((len(codes), self.index.vectors(rows[:1]).shape[1]), np.float32)
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            part = slice(start, start + _ROWS_AT_A_TIME)
            add_by_code(sums, self.index.vectors(rows[part]), places[part])
        return scale_to_one(sums), codes.astype(np.int64)


def _settles(candidates: RankedIdentities, top: int, bound: float) -> bool:
    """Tell whether nobody who scores at most `bound` belongs among the first."""
    return len(candidates.scores) >= top and float(candidates.scores[top - 1]) >= bound
