"""What a gallery keeps in memory to answer: the index, the null sample, and names."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.gallery_errors import StoreFailedError
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.aggregate import Aggregate
from promptreid.gallery.searching.answer import (
    Answer,
    Candidate,
    Denied,
    Neighbour,
    decide,
)
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.entry_table import EntryTable, TableChange
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.searching.identity_ranking import IdentityRanking, RankedIdentities
from promptreid.gallery.searching.indexes.exact_index import ExactIndex
from promptreid.gallery.searching.indexes.index_choice import AUTOMATIC, check_index, choose_index
from promptreid.gallery.searching.indexes.table_file import TableFile
from promptreid.gallery.searching.indexes.vector_index import Index
from promptreid.gallery.searching.negative_bar import NegativeBar
from promptreid.gallery.searching.nobody import p_values
from promptreid.gallery.searching.null_sample import (
    NullChanges,
    NullSample,
    null_from_scratch,
    update_null,
)
from promptreid.progress import Progress, Silent

SHORT_LIST = 100
"""Entries that are re-ranked at least."""

_CONDITIONS_KEPT = 32
"""Null samples under conditions that are kept until the gallery changes."""


class SearchState:
    """Everything that is derived from records, as of one revision of them.

    Attributes:
        table: What is known of every entry but its vector.
        index: The vectors.
        ranking: Who is most like a query, by table and index.
        null: The null sample.
        bar: The bar that negative examples raise.
        names: Name of each identity, by number.
        lock: Held by the one thread that uses the state and the records it is of.
    """

    def __init__(
        self, aggregate: Aggregate, index: str = AUTOMATIC, progress: Progress | None = None
    ) -> None:
        """Begin without anything; `index` is one of `index_choice.KINDS`."""
        self._aggregate, self._progress = aggregate, progress or Silent()
        self._index_name = check_index(index)
        self.lock = threading.RLock()
        self.table = EntryTable()
        self._file: TableFile | None = None
        self.index: Index = ExactIndex()
        self.ranking = IdentityRanking(aggregate, self.table, self.index)
        self.clear()

    def clear(self) -> None:
        """Forget everything; the next `refresh` reads all records."""
        self.table.clear()
        self.index.clear()
        self.null = NullSample.from_rows(())
        self.bar = NegativeBar()
        self.names: dict[int, str] = {}
        self._names_revision = -1
        self._forget_computed()

    @property
    def fingerprint(self) -> str | None:
        """That of the model whose vectors are searched; None before the first."""
        return self.table.fingerprint

    def close(self) -> None:
        """Let go of what the index holds open."""
        self.index.close()

    def refresh(self, records: Records) -> None:
        """Take over what other processes changed in the records, all of it or nothing."""
        if records.revision() == self.table.revision:
            return
        try:
            with records.reading():
                self._take(records)
        except BaseException:
            self.clear()  # the table is ahead of what was not read
            raise
        self.settle(records)

    @contextlib.contextmanager
    def changing(self, records: Records, computed: NullSample | None = None) -> Generator[None]:
        """Commit what is changed within it, and the null sample that follows from it, or nothing.

        Where the model is another one afterwards, the null sample is computed from scratch.

        Args:
            records: The records.
            computed: The null sample as it was when the state was refreshed last, which takes the
                place of the one that is kept.

        Raises:
            StoreFailedError: The records cannot be written; or they are, and a server that searches
                them, which is brought up to date later, does not answer.
        """
        try:
            with records.writing():
                before = records.revision() - 1
                if computed is None and self.table.revision != before:  # others have written
                    self._take(records)
                    self.table.revision = before  # what is changed from here on is yet to be read
                yield
                change = self._follow(records)
                if change.anew:
                    changes = self._replace_null(records, null_from_scratch(self.ranking))
                elif computed is not None:
                    fresh = update_null(self.ranking, computed, change).apply(computed)
                    changes = self._replace_null(records, fresh)
                else:
                    changes = update_null(self.ranking, self.null, change)
                records.put_null_rows(changes.rows.rows(), changes.removed)
                self.null = changes.apply(self.null)
                self._take_names(records)
        except BaseException:
            self.clear()  # the memory is ahead of what was rolled back
            raise
        try:
            self.settle(records)
        except StoreFailedError as error:
            raise StoreFailedError(f"What was changed is stored. {error}") from error

    def _replace_null(self, records: Records, fresh: NullSample) -> NullChanges:
        """Return what leads from the null sample that is kept to another one."""
        self.null = NullSample.from_rows(records.null_rows())
        gone = np.setdiff1d(self.null.identities, fresh.identities)
        return NullChanges(fresh, tuple(gone.tolist()))

    def settle(self, records: Records) -> None:
        """Keep in files or on servers what follows from what is committed."""
        self.index.settle()
        if self.index.kind == "bits" and self._file is not None:
            self._file.keep(self.table, records)

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
        conditions = self._make_conditions(filters, cameras)
        null, length = self._find_null(conditions), max(top, 2)
        answers = []
        for place, one in enumerate(self.ranking.rank(queries, conditions, length)):
            candidates = self._list_candidates(queries[place], place, conditions, one, null)
            candidates, denied = self._deny(queries[place], candidates)
            if denied:  # whoever is left out makes room for others
                own, wanted = conditions.choose(np.array([place])), length + len(self.bar)
                [longer] = self.ranking.rank(queries[[place]], own, wanted)
                candidates = self._list_candidates(queries[place], 0, own, longer, null)
                candidates, denied = self._deny(queries[place], candidates)
                candidates = candidates[:length]
            answers.append(decide(candidates, rate=rate, identities=len(null), denied=denied))
        return answers

    def find_nearest(
        self,
        queries: NDArray[np.float32],
        cameras: Sequence[str | None],
        filters: Filters,
        *,
        top: int,
        rerank: bool = False,
    ) -> list[list[Neighbour]]:
        """Return the entries that are most alike, best first, for (Q, d) queries.

        Where they are re-ranked, that is done among `SHORT_LIST` entries or more.
        """
        if not len(self.table):
            return [[] for _ in queries]
        top = max(top, 1)
        length = max(top, SHORT_LIST) if rerank else top
        near = self.index.search(queries, self._make_conditions(filters, cameras), length)
        if rerank:
            from promptreid.gallery.searching.short_list import rerank_nearest  # loads PyTorch

            near = rerank_nearest(self.index, queries, near)
        return [
            [
                self._make_neighbour(row, score)
                for row, score in zip(rows, scores, strict=True)
                if row >= 0
            ]
            for rows, scores in zip(
                near.rows[:, :top].tolist(), near.scores[:, :top].tolist(), strict=True
            )
        ]

    def find_answering(self, filters: Filters, camera: str | None) -> NDArray[np.int64]:
        """Return the rows of the table that may answer one query, of some camera, ascending."""
        rows = np.arange(len(self.table))
        return rows[self._make_conditions(filters, [camera]).may_answer(0, rows)]

    def null_scores(self) -> NDArray[np.float64]:
        """Return the null sample, (N,), in no order."""
        return self.null.scores

    def _take(self, records: Records) -> None:
        """Take over what other processes changed, within a transaction."""
        if records.revision() == self.table.revision:
            return
        self._follow(records)
        self.null = NullSample.from_rows(records.null_rows())
        self._take_names(records)

    def _take_names(self, records: Records) -> None:
        self.names |= records.names(self._names_revision)
        if len(self.names) != records.count_identities():  # some are gone
            self.names = records.names()
        self._names_revision = records.revision()
        self.bar = NegativeBar(records.negatives(), self.names)

    def _follow(self, records: Records) -> TableChange:
        """Bring table and index to what the records hold."""
        is_empty, folder = self.table.revision < 0, records.derived
        if is_empty and folder is not None:
            self._file = TableFile(folder)
            self._file.load(self.table, records)
        change = self.table.refresh(records)
        if is_empty:
            change = TableChange(anew=True)
        index = choose_index(self._index_name, len(self.table), records, self.index, self._progress)
        if index is self.index:
            index.follow(self.table, change, records)
        else:
            self.index.close()
            self.index = self.ranking.index = index
            index.follow(self.table, TableChange(anew=True), records)
        self._forget_computed()
        return change

    def _forget_computed(self) -> None:
        self.ranking.forget()
        self._null_by_conditions: dict[object, NDArray[np.float64]] = {}

    def _make_conditions(self, filters: Filters, cameras: Sequence[str | None]) -> Conditions:
        identities = None
        if filters.identities is not None:
            wanted = set(filters.identities)
            identities = [number for number, name in self.names.items() if name in wanted]
        return Conditions(self.table, filters, identities, cameras)

    def _deny(
        self, query: NDArray[np.float32], candidates: tuple[Candidate, ...]
    ) -> tuple[tuple[Candidate, ...], tuple[Denied, ...]]:
        """Take out candidates of whom a negative example is more alike than any image."""
        if not len(self.bar):
            return candidates, ()
        left, denied = [], []
        for one in candidates:
            denial = self.bar.find_denial(query, one.identity, one.entry_score)
            if denial is None:
                left.append(one)
            else:
                denied.append(Denied(one.identity, one.score, denial.negative, denial.score))
        return tuple(left), tuple(denied)

    def _make_neighbour(self, row: int, score: float) -> Neighbour:
        identity = self.table.identity_numbers[self.table.codes[row]]
        return Neighbour(int(self.table.entries[row]), self.names[identity], score)

    def _find_null(self, conditions: Conditions) -> NDArray[np.float64]:
        filters = conditions.filters
        if filters.is_open or self._aggregate.never_rises_with_fewer:
            return self.null_scores()
        key = (conditions.allowed.tobytes(), filters.other_cameras)
        if key not in self._null_by_conditions:
            if len(self._null_by_conditions) >= _CONDITIONS_KEPT:
                self._null_by_conditions = {}
            self._null_by_conditions[key] = null_from_scratch(self.ranking, conditions).scores
        return self._null_by_conditions[key]

    def _list_candidates(
        self,
        query: NDArray[np.float32],
        place: int,
        conditions: Conditions,
        ranked: RankedIdentities,
        null: NDArray[np.float64],
    ) -> tuple[Candidate, ...]:
        """Return the best identities for one query, with the images that are most alike."""
        rarities = p_values(ranked.scores, null)
        rows, scores = self.ranking.find_best_entries(query, place, conditions, ranked.codes)
        candidates = []
        for number, code in enumerate(ranked.codes.tolist()):
            name = self.names[self.table.identity_numbers[code]]
            candidates.append(
                Candidate(
                    name,
                    float(ranked.scores[number]),
                    float(rarities[number]),
                    int(self.table.entries[rows[number]]),
                    float(scores[number]),
                )
            )
        return tuple(candidates)
