"""What a gallery keeps in memory to answer: the index, the null sample, and names."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_rows import NullRow
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.aggregate import Aggregate, cosines
from promptreid.gallery.searching.answer import Answer, Candidate, Neighbour, decide
from promptreid.gallery.searching.exact_index import ExactIndex
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.searching.nobody import p_values
from promptreid.gallery.searching.null_sample import null_from_scratch, update_null

_CONDITIONS_KEPT = 32
"""Null samples under conditions that are kept until the gallery changes."""


class SearchState:
    """Everything that is derived from records, as of one revision of them.

    Attributes:
        index: All vectors.
        null: The null sample, by identity.
        names: Name of each identity, by number.
        lock: Held by the one thread that uses the state and the records it is of.
    """

    def __init__(self, aggregate: Aggregate) -> None:
        self._aggregate = aggregate
        self.lock = threading.RLock()
        self.index = ExactIndex()
        self.clear()

    def clear(self) -> None:
        """Forget everything; the next `refresh` reads all records."""
        self.index.clear()
        self.null: dict[int, NullRow] = {}
        self.names: dict[int, str] = {}
        self._null_by_conditions: dict[object, NDArray[np.float64]] = {}

    def refresh(self, records: Records) -> None:
        """Take over what other processes changed in the records."""
        if records.revision() == self.index.revision:
            return
        with records.reading():
            self._take(records)

    @contextlib.contextmanager
    def changing(self, records: Records) -> Generator[set[int]]:
        """Commit what is changed within it, and the null sample that follows from it, or nothing.

        Yields:
            A set that takes the numbers of identities whose entries are erased; other changes of
            entries are seen without it.
        """
        try:
            with records.writing():
                if self.index.revision != records.revision() - 1:  # others have written
                    self._take(records)
                erased: set[int] = set()
                yield erased
                touched = self.index.take_changes(records, records.revision() - 1)
                changes = update_null(
                    self.index, self.null, erased | (touched or set()), self._aggregate
                )
                records.put_null_rows(changes.rows, changes.removed)
                self.null = changes.apply(self.null)
                self._take_names(records)
        except BaseException:
            self.clear()  # the memory is ahead of what was rolled back
            raise

    def answer(
        self,
        queries: NDArray[np.float32],
        cameras: Sequence[str | None],
        filters: Filters,
        *,
        top: int,
        rate: float,
    ) -> list[Answer]:
        """Answer (Q, d) queries, of some cameras.

        With conditions fewer images may answer, so that the best score of a stranger can only be
        lower and the null sample of the whole gallery still keeps the rate, where the score of an
        identity never rises with fewer images. Where it may, the null sample is computed under the
        same conditions.
        """
        allowed = self._mask(filters)
        null = self._find_null(filters, allowed)
        masks = self._mask_queries(allowed, cameras, filters)
        scores = self.index.score_identities(queries, masks, self._aggregate)
        answers = []
        for number, row in enumerate(scores):
            may = masks if masks.ndim == 1 else masks[number]
            candidates = self._find_candidates(queries[number], row, may, null, top)
            answers.append(decide(candidates, rate=rate, identities=len(null)))
        return answers

    def find_nearest(
        self,
        queries: NDArray[np.float32],
        cameras: Sequence[str | None],
        filters: Filters,
        *,
        top: int,
    ) -> list[list[Neighbour]]:
        """Return the entries that are most alike, best first, for (Q, d) queries."""
        masks = self._mask_queries(self._mask(filters), cameras, filters)
        scores = cosines(queries, self.index.vectors)
        scores[np.broadcast_to(~masks, scores.shape)] = -np.inf
        ranked = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        return [
            [
                self._make_neighbour(row, float(values[row]))
                for row in rows.tolist()
                if values[row] > -np.inf
            ]
            for values, rows in zip(scores, ranked, strict=True)
        ]

    def null_scores(self) -> NDArray[np.float64]:
        """Return the null sample, (N,), in no order."""
        return np.array([row.score for row in self.null.values()], np.float64)

    def _take(self, records: Records) -> None:
        if records.revision() == self.index.revision:
            return
        self.index.refresh(records)
        self.null = {row.identity: row for row in records.null_rows()}
        self._take_names(records)

    def _take_names(self, records: Records) -> None:
        self.names = records.names()
        self._null_by_conditions = {}

    def _mask(self, filters: Filters) -> NDArray[np.bool_]:
        if filters.identities is None:
            return self.index.mask(filters)
        wanted = set(filters.identities)
        return self.index.mask(filters, [one for one, name in self.names.items() if name in wanted])

    def _mask_queries(
        self, allowed: NDArray[np.bool_], cameras: Sequence[str | None], filters: Filters
    ) -> NDArray[np.bool_]:
        """Leave out what is of a query's own camera, where that is asked for: (M,) or (Q, M)."""
        if not filters.other_cameras:
            return allowed
        own = self.index.find_camera_codes(cameras)
        return allowed & (self.index.camera_codes != own[:, None])

    def _make_neighbour(self, row: int, score: float) -> Neighbour:
        identity = self.index.identity_numbers[self.index.codes[row]]
        return Neighbour(int(self.index.entries[row]), self.names[identity], score)

    def _find_null(self, filters: Filters, allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
        if filters.is_open or self._aggregate.never_rises_with_fewer:
            return self.null_scores()
        key = (allowed.tobytes(), filters.other_cameras)
        if key not in self._null_by_conditions:
            if len(self._null_by_conditions) >= _CONDITIONS_KEPT:
                self._null_by_conditions = {}
            rows = null_from_scratch(
                self.index, self._aggregate, allowed, other_cameras=filters.other_cameras
            )
            scores = [row.score for row in rows.values()]
            self._null_by_conditions[key] = np.array(scores, np.float64)
        return self._null_by_conditions[key]

    def _find_candidates(
        self,
        query: NDArray[np.float32],
        scores: NDArray[np.float32],
        allowed: NDArray[np.bool_],
        null: NDArray[np.float64],
        top: int,
    ) -> tuple[Candidate, ...]:
        """Return the best identities for one query, two at least where there are two."""
        codes = np.argsort(-scores, kind="stable")[: max(top, 2)]
        codes = codes[scores[codes] > -np.inf]
        rarities = p_values(scores[codes], null)
        candidates = []
        for code, p in zip(codes.tolist(), rarities.tolist(), strict=True):
            identity = self.index.identity_numbers[code]
            entry, entry_score = self.index.find_best_entry(query, identity, allowed)
            name, score = self.names[identity], float(scores[code])
            candidates.append(Candidate(name, score, p, entry, entry_score))
        return tuple(candidates)
