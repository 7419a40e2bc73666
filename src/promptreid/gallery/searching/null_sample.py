"""The null sample of a gallery, and how it follows every change exactly.

One image stands for each identity, as one image is what a stranger would show. It is the visible
one with the smallest content hash: a draw that needs no state and does not hang on the order in
which images came. What it scores against the best other identity is the identity's row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_rows import NullRow
from promptreid.gallery.searching.aggregate import identity_scores
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.cosines import multiply
from promptreid.gallery.searching.entry_table import EntryTable, TableChange
from promptreid.gallery.searching.identity_ranking import IdentityRanking
from promptreid.gallery.searching.stand_in_vectors import find_stand_ins
from promptreid.progress import Progress, Silent
from promptreid.progress.counted_task import counting

_ROUNDING = 1e-6
"""Two ways of multiplying the same vectors differ by less."""
_SEARCHED_AT_A_TIME = 256
_COMPARED_AT_A_TIME = 4096
_STAND_INS_AT_A_TIME = 16384
_QUERIES_AT_A_TIME = 1024


@dataclass(frozen=True, eq=False)
class NullSample:
    """The rows of a null sample, column by column.

    Attributes:
        identities: (N,) numbers of the identities, ascending.
        entries: (N,) numbers of the entries that stand for them.
        scores: (N,) the best score of another identity.
        rivals: (N,) number of that identity.
    """

    identities: NDArray[np.int64]
    entries: NDArray[np.int64]
    scores: NDArray[np.float64]
    rivals: NDArray[np.int64]

    @classmethod
    def from_rows(cls, rows: Iterable[NullRow]) -> NullSample:
        """Take rows in any order."""
        ordered = sorted(rows, key=lambda row: row.identity)
        return cls(
            np.array([row.identity for row in ordered], np.int64),
            np.array([row.entry for row in ordered], np.int64),
            np.array([row.score for row in ordered], np.float64),
            np.array([row.rival for row in ordered], np.int64),
        )

    def __len__(self) -> int:
        return len(self.identities)

    def rows(self) -> list[NullRow]:
        """Return the rows, by number of the identity."""
        columns = (self.identities, self.entries, self.scores, self.rivals)
        return [NullRow(*row) for row in zip(*(one.tolist() for one in columns), strict=True)]

    def choose(self, places: NDArray[np.bool_] | NDArray[np.int64]) -> NullSample:
        """Return some of the rows."""
        return NullSample(
            self.identities[places], self.entries[places], self.scores[places], self.rivals[places]
        )

    def merge(self, other: NullSample) -> NullSample:
        """Return the rows of both, which are of different identities."""
        both = NullSample(
            np.concatenate([self.identities, other.identities]),
            np.concatenate([self.entries, other.entries]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.rivals, other.rivals]),
        )
        return both.choose(np.argsort(both.identities))


@dataclass(frozen=True)
class NullChanges:
    """What becomes of a null sample.

    Attributes:
        rows: Rows that are new or other than before.
        removed: Identities that have no row any more.
    """

    rows: NullSample
    removed: tuple[int, ...]

    def apply(self, sample: NullSample) -> NullSample:
        """Return the null sample after the change."""
        gone = np.concatenate([np.array(self.removed, np.int64), self.rows.identities])
        return sample.choose(~np.isin(sample.identities, gone)).merge(self.rows)


def null_from_scratch(
    ranking: IdentityRanking,
    conditions: Conditions | None = None,
    progress: Progress | None = None,
) -> NullSample:
    """Compute the null sample of a gallery.

    Args:
        ranking: The gallery.
        conditions: Which images may answer; all visible ones by default. Each identity is stood
            for all the same; the cameras of queries are those of the images that stand in.
        progress: Told where it takes long.

    Returns:
        A row for each identity that has a visible image and another to be compared with.
    """
    conditions = conditions or Conditions(ranking.table)
    stand_ins = find_stand_ins(ranking.table)
    progress = progress if progress and len(stand_ins) > _SEARCHED_AT_A_TIME else Silent()
    with counting(progress, "comparing identities", len(stand_ins), "identities"):
        if ranking.aggregate.kind == "best" and not conditions.filters.other_cameras:
            return _compare(ranking, stand_ins, conditions, progress)
        return _search(ranking, stand_ins, conditions, progress)


def update_null(ranking: IdentityRanking, sample: NullSample, change: TableChange) -> NullChanges:
    """Bring a null sample up to date.

    A change of an identity's images matters to its own row where another image stands for it, and
    to the row of everybody else as their possible best other identity: better than before, or,
    where it was the best, worse. The first costs a search, the second the products of those who
    stand in with the images of what changed; only who lost the best other is searched anew. Where
    the best image counts, new images make nobody worse, and are compared alone.

    Args:
        ranking: The gallery after the change.
        sample: The null sample before it.
        change: What became of the table; not `anew`.
    """
    table = ranking.table
    touched = np.array(sorted(change.touched), np.int64)
    grown = change.grown if ranking.aggregate.kind == "best" else frozenset()
    changed = np.array(sorted(change.touched - grown), np.int64)
    rows = _list_changed_rows(table, changed, change.new)
    grown_rows = table.find_rows(sample.entries[np.isin(sample.identities, sorted(grown))])
    candidates = np.concatenate([grown_rows, rows]) if len(sample) else None
    stand_ins = find_stand_ins(table, candidates)
    numbers = _numbers(table, stand_ins)
    is_touched = np.isin(sample.identities, touched)
    gone = is_touched & ~np.isin(sample.identities, numbers)
    # Whose image is another than before, or who is new, is searched; the others are compared.
    same = np.isin(numbers, sample.identities)
    places = np.searchsorted(sample.identities, numbers[same])
    same[same] = sample.entries[places] == table.entries[stand_ins[same]]
    kept = ~is_touched
    kept[np.searchsorted(sample.identities, numbers[same])] = True
    before = sample.choose(kept)
    entries = table.find_rows(before.entries)
    score, rival = _best_among(ranking, entries, rows)
    had_rival = np.isin(before.rivals, changed)
    lost = had_rival & (score < before.scores - _ROUNDING)
    other = ~lost & (had_rival | (score >= before.scores))
    other &= (score != before.scores) | (rival != before.rivals)
    updated = NullSample(before.identities, before.entries, score, rival).choose(other)
    anew = np.concatenate([stand_ins[~same], entries[lost]])
    fresh = _search(ranking, anew, Conditions(table), Silent())
    # With nobody else left to be compared with, a row goes.
    alone = np.setdiff1d(_numbers(table, anew), fresh.identities)
    removed = (
        *sample.identities[gone].tolist(),
        *alone[np.isin(alone, sample.identities)].tolist(),
    )
    return NullChanges(updated.merge(fresh), removed)


def _list_changed_rows(
    table: EntryTable, identities: NDArray[np.int64], new: int
) -> NDArray[np.int64]:
    """Return the visible rows of some identities, and of the last `new` ones."""
    rows = np.arange(len(table) - new, len(table))
    if len(identities):
        codes = table.find_codes(identities.tolist())
        rows = np.union1d(np.flatnonzero(np.isin(table.codes, codes)), rows)
    return rows[table.visible[rows]]


def _numbers(table: EntryTable, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of the identity of each row."""
    codes = table.codes[rows].tolist()
    return np.array([table.identity_numbers[code] for code in codes], np.int64)


def _best_among(
    ranking: IdentityRanking, stand_ins: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the best score among some rows, and whose it is, for each row that stands in.

    Rows of its own identity do not count.
    """
    table, aggregate = ranking.table, ranking.aggregate
    numbers = np.array(table.identity_numbers, np.int64)
    best, rivals = np.full(len(numbers), -np.inf), np.full(len(numbers), -1, np.int64)
    if not len(rows) or not len(stand_ins):
        return best[: len(stand_ins)], rivals[: len(stand_ins)]
    vectors = ranking.index.vectors(rows)
    # Only these identities have a column, so that the work does not grow with all of them squared.
    shown, columns = np.unique(table.codes[rows], return_inverse=True)
    for own, queries in ranking.stand_ins.read(table, ranking.index, stand_ins):
        if aggregate.kind == "best":
            best[own], codes = _find_best(queries, own, vectors, table.codes[rows])
        else:
            may = np.ones(len(rows), bool)
            scores = identity_scores(queries, vectors, columns, len(shown), may, aggregate)
            scores[own[:, None] == shown] = -np.inf
            place = scores.argmax(1)
            best[own], codes = scores[np.arange(len(own)), place], shown[place]
        rivals[own] = numbers[codes]
    asked = table.codes[stand_ins]
    return best[asked], rivals[asked]


def _compare(
    ranking: IdentityRanking,
    stand_ins: NDArray[np.int64],
    conditions: Conditions,
    progress: Progress,
) -> NullSample:
    """Compare rows that stand in with every image, where the best one counts.

    All products take less time than a search for each, and miss nobody whatever the index is.
    """
    table, index = ranking.table, ranking.index
    rows = np.flatnonzero(conditions.allowed)
    numbers = np.append(table.identity_numbers, -1)  # the last where there is nobody else
    scores, rivals = np.full(len(stand_ins), -np.inf), np.full(len(stand_ins), -1, np.int64)
    for start in range(0, len(stand_ins), _STAND_INS_AT_A_TIME):
        part = slice(start, start + _STAND_INS_AT_A_TIME)
        queries, own, told = index.vectors(stand_ins[part]), table.codes[stand_ins[part]], 0
        for first in range(0, len(rows), _COMPARED_AT_A_TIME):
            shown = rows[first : first + _COMPARED_AT_A_TIME]
            best, codes = _find_best(queries, own, index.vectors(shown), table.codes[shown])
            better = best > scores[part]
            scores[part][better], rivals[part][better] = best[better], numbers[codes[better]]
            done = len(own) * (first + len(shown)) // len(rows)
            progress.advance(done - told)
            told = done
    found = NullSample(_numbers(table, stand_ins), table.entries[stand_ins], scores, rivals)
    compared = found.choose(rivals >= 0)
    return compared.choose(np.argsort(compared.identities))


def _find_best(
    queries: NDArray[np.float32],
    own: NDArray[np.integer],
    vectors: NDArray[np.float32],
    codes: NDArray[np.integer],
) -> tuple[NDArray[np.float32], NDArray[np.integer]]:
    """Return the best score (Q,) among vectors of other identities than one's own, and whose."""
    best, rivals = np.empty(len(queries), np.float32), np.empty(len(queries), codes.dtype)
    for start in range(0, len(queries), _QUERIES_AT_A_TIME):
        part = slice(start, start + _QUERIES_AT_A_TIME)
        scores = multiply(queries[part], vectors)
        scores[own[part, None] == codes] = -np.inf
        place = scores.argmax(1)
        best[part], rivals[part] = scores[np.arange(len(scores)), place], codes[place]
    return best, rivals


def _search(
    ranking: IdentityRanking,
    stand_ins: NDArray[np.int64],
    conditions: Conditions,
    progress: Progress,
) -> NullSample:
    """Search rows that stand in against everybody else."""
    table = ranking.table
    found: list[NullRow] = []
    for start in range(0, len(stand_ins), _SEARCHED_AT_A_TIME):
        rows = stand_ins[start : start + _SEARCHED_AT_A_TIME]
        queries, own = ranking.index.vectors(rows), table.codes[rows]
        asked = conditions.ask(table.find_cameras(rows))
        for row, ranked in zip(rows, ranking.rank(queries, asked, 1, own), strict=True):
            if len(ranked.codes):
                number = table.identity_numbers[table.codes[row]]
                rival = table.identity_numbers[ranked.codes[0]]
                found.append(
                    NullRow(number, int(table.entries[row]), float(ranked.scores[0]), rival)
                )
        progress.advance(len(rows))
    return NullSample.from_rows(found)
