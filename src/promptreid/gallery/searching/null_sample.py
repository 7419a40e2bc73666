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
from promptreid.gallery.searching.aggregate import Aggregate, identity_scores
from promptreid.gallery.searching.exact_index import ExactIndex

_ROUNDING = 1e-6
"""Two ways of multiplying the same vectors differ by less."""
_AT_A_TIME = 256


@dataclass(frozen=True)
class NullChanges:
    """What becomes of a null sample.

    Attributes:
        rows: Rows that are new or other than before.
        removed: Identities that have no row any more.
    """

    rows: tuple[NullRow, ...]
    removed: tuple[int, ...]

    def apply(self, rows: dict[int, NullRow]) -> dict[int, NullRow]:
        """Return the rows by identity after the change."""
        kept = {number: row for number, row in rows.items() if number not in set(self.removed)}
        return kept | {row.identity: row for row in self.rows}


def null_from_scratch(
    index: ExactIndex,
    aggregate: Aggregate,
    allowed: NDArray[np.bool_] | None = None,
    *,
    other_cameras: bool = False,
) -> dict[int, NullRow]:
    """Compute the null sample of an index, by identity.

    Args:
        index: The gallery.
        aggregate: How images become one score.
        allowed: (M,) which rows may answer; all visible ones by default. Each identity is stood for
            all the same.
        other_cameras: Whether rows of an image's own camera may not answer it.

    Returns:
        A row for each identity that has a visible image and another to be compared with.
    """
    stand_ins = find_stand_ins(index)
    may = index.visible if allowed is None else allowed
    return _search(index, stand_ins, aggregate, may, other_cameras=other_cameras)


def update_null(
    index: ExactIndex, rows: dict[int, NullRow], changed: Iterable[int], aggregate: Aggregate
) -> NullChanges:
    """Bring a null sample up to date.

    A change of an identity's images matters to its own row where another image stands for it, and
    to the row of everybody else as their possible best other identity: better than before, or,
    where it was the best, worse. The first costs a search, the second the products of those who
    stand in with the images of what changed; only who lost the best other is searched anew.

    Args:
        index: The gallery after the change.
        rows: The null sample before it, by identity.
        changed: Numbers of identities whose visible images are others than before.
        aggregate: How images become one score.
    """
    touched = set(changed)
    stand_ins = find_stand_ins(index, touched if rows else None)
    stand_ins |= {
        number: index.row_by_entry[row.entry]
        for number, row in rows.items()
        if number not in touched
    }
    removed = tuple(number for number in rows if number not in stand_ins)
    anew = {
        number: row
        for number, row in stand_ins.items()
        if number not in rows or rows[number].entry != index.entries[row]
    }
    others = [number for number in stand_ins if number not in anew]
    updated: list[NullRow] = []
    if others and touched:
        scores, rivals = _best_among(index, [stand_ins[one] for one in others], touched, aggregate)
        for number, score, rival in zip(others, scores, rivals, strict=True):
            before = rows[number]
            lost = before.rival in touched and score < before.score - _ROUNDING
            if lost:
                anew[number] = stand_ins[number]
            elif score >= before.score or before.rival in touched:
                after = NullRow(number, before.entry, float(score), int(rival))
                updated += [after] if after != before else []
    fresh = _search(index, anew, aggregate, index.visible)
    # With nobody else left to be compared with, a row goes.
    alone = tuple(number for number in anew if number in rows and number not in fresh)
    return NullChanges((*updated, *fresh.values()), removed + alone)


def find_stand_ins(index: ExactIndex, identities: set[int] | None = None) -> dict[int, int]:
    """Return the row of the image that stands for each of some identities, or of all, by number."""
    rows = np.flatnonzero(index.visible)
    if identities is not None:
        rows = rows[np.isin(index.codes[rows], index.find_codes(identities))]
    ordered = rows[np.lexsort((index.entries[rows], index.draws[rows], index.codes[rows]))]
    codes, first = np.unique(index.codes[ordered], return_index=True)
    return {
        index.identity_numbers[code]: int(ordered[place])
        for code, place in zip(codes.tolist(), first.tolist(), strict=True)
    }


def _best_among(
    index: ExactIndex, stand_ins: list[int], identities: set[int], aggregate: Aggregate
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the best score of some identities, and whose it is, for rows that stand in.

    A row's own identity does not count.
    """
    rows = np.flatnonzero(np.isin(index.codes, index.find_codes(identities)) & index.visible)
    best = np.full(len(stand_ins), -np.inf, np.float32)
    rivals = np.full(len(stand_ins), -1, np.int64)
    if not len(rows):
        return best, rivals
    # Only these identities have a column, so that the work does not grow with all of them squared.
    known, columns = np.unique(index.codes[rows], return_inverse=True)
    numbers = np.array([index.identity_numbers[code] for code in known], np.int64)
    vectors, may = index.vectors[rows], np.ones(len(rows), bool)
    for start in range(0, len(stand_ins), _AT_A_TIME):
        part = np.array(stand_ins[start : start + _AT_A_TIME])
        scores = identity_scores(index.vectors[part], vectors, columns, len(known), may, aggregate)
        scores[index.codes[part][:, None] == known] = -np.inf
        best[start : start + len(part)] = scores.max(1)
        rivals[start : start + len(part)] = numbers[scores.argmax(1)]
    return best, rivals


def _search(
    index: ExactIndex,
    stand_ins: dict[int, int],
    aggregate: Aggregate,
    allowed: NDArray[np.bool_],
    *,
    other_cameras: bool = False,
) -> dict[int, NullRow]:
    """Search rows that stand in against everybody else."""
    found: dict[int, NullRow] = {}
    identities = list(stand_ins)
    for start in range(0, len(identities), _AT_A_TIME):
        part = identities[start : start + _AT_A_TIME]
        rows = np.array([stand_ins[one] for one in part])
        may = allowed
        if other_cameras:
            own = index.camera_codes[rows]
            own = np.where(own < 0, -2, own)
            may = allowed & (index.camera_codes != own[:, None])
        scores = index.score_identities(index.vectors[rows], may, aggregate)
        scores[np.arange(len(part)), index.codes[rows]] = -np.inf
        best = scores.argmax(1)
        for place, number in enumerate(part):
            score = float(scores[place, best[place]])
            if score > -np.inf:
                rival = index.identity_numbers[best[place]]
                found[number] = NullRow(number, int(index.entries[rows[place]]), score, rival)
    return found
