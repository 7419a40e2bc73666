"""Everything that can be wrong with a gallery, each with what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.audit.audit_verification import find_breaks
from promptreid.gallery.gallery_errors import NotEnrolledError
from promptreid.gallery.image_content import find_fault
from promptreid.gallery.records.record_rows import Picture
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.indexes.index_choice import FINDING_ALL, delete_files
from promptreid.gallery.searching.null_sample import NullSample, null_from_scratch
from promptreid.gallery.searching.search_state import SearchState
from promptreid.json_record import JsonRecord
from promptreid.progress import Progress
from promptreid.progress.counted_task import counting

_LENGTH_TOLERANCE = 1e-2
_SCORE_TOLERANCE = 1e-5
_MISSED_AT_MOST = 0.1
_SCORED_AT_A_TIME = 1024


@dataclass(frozen=True)
class Finding(JsonRecord):
    """Something that is wrong.

    Attributes:
        problem: What, as a sentence.
        remedy: What to do about it, as a sentence.
    """

    problem: str
    remedy: str


def find_problems(records: Records, state: SearchState, progress: Progress) -> list[Finding]:
    """Check the file, pictures, vectors, what follows from them, and the chain of audit records."""
    place = records.place
    again = (
        f"Erase the entry (promptreid gallery erase {place} --entry N) and add the image again, or "
        f"make missing vectors (promptreid gallery reembed {place} --model RUN)."
    )
    mend = f"promptreid gallery check {place} --mend"
    with progress.doing(f"reading {place}"):  # which says nothing on its way, for minutes
        file_damage = records.find_damage()
        damaged_vectors = [] if file_damage else records.find_damaged_vectors()
    damage = [Finding(words, "Take the gallery from a backup.") for words in file_damage]
    if damage:  # what else could be said of a damaged file would not be worth much
        return damage
    damaged = [
        Finding(f"{words} is not what was written.", f"{mend} takes it out. {again}")
        for words in damaged_vectors
    ]
    if damaged:
        return damaged
    state.refresh(records)
    findings: list[Finding] = []
    with counting(progress, f"checking {place}", len(state.table), "images"):
        for entry, vector in records.entries():
            fault = _find_vector_fault(vector) or _find_picture_fault(records.picture, entry.entry)
            if fault is not None:
                findings.append(Finding(f"Entry {entry.entry}: {fault}.", again))
            progress.advance(1)
    findings += _check_negatives(records)
    with records.reading():  # others may write records in between
        breaks = find_breaks(records.audit_rows(), records.audit_head())
    findings += [
        Finding(
            broken.problem,
            "This cannot be mended. Compare with a backup, and find out who can write to the "
            "gallery.",
        )
        for broken in breaks
    ]
    findings += [Finding(words, mend) for words in _find_stale(state, progress)]
    if records.is_compaction_due:
        findings.append(Finding("Bytes of what was erased may still be in the store.", mend))
    return findings


def _check_negatives(records: Records) -> Iterator[Finding]:
    """Check the negative examples that are no entries."""
    for row in records.negatives():
        if row.entry is not None:
            continue
        fault = _find_vector_fault(row.vector) or _find_picture_fault(
            records.negative_picture, row.negative
        )
        if fault is not None:
            yield Finding(
                f"Negative example {row.negative}: {fault}.",
                f"Take it back (promptreid gallery not {records.place} --remove {row.negative}) "
                "and give the picture again.",
            )


def mend_records(records: Records, state: SearchState, progress: Progress) -> None:
    """Make anew what follows from the entries, and finish what an erasure left to do.

    Others go on writing while the null sample is computed.
    """
    state.clear()
    if records.derived is not None:
        delete_files(records.derived)
    with records.writing():
        records.remove_damaged_vectors()
    state.refresh(records)
    computed = null_from_scratch(state.ranking, progress=progress)
    with state.changing(records, computed):
        pass  # what others have written since is compared, and all is kept
    if records.is_compaction_due:
        records.compact()


def _find_picture_fault(read: Callable[[int], Picture], number: int) -> str | None:
    try:
        return find_fault(read(number))
    except NotEnrolledError:  # another process has just erased it
        return None


def _find_vector_fault(vector: np.ndarray | None) -> str | None:
    if vector is None:
        return "it has no vector of the gallery's model"
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not np.isfinite(length) or abs(length - 1) > _LENGTH_TOLERANCE:
        return f"its vector has the length {length:.4g} instead of 1"
    return None


def _find_stale(state: SearchState, progress: Progress) -> Iterator[str]:
    """Compare the null sample with one that is computed from scratch."""
    right, kept = null_from_scratch(state.ranking, progress=progress), state.null
    if not np.array_equal(right.identities, kept.identities):
        yield f"The null sample is of {len(kept):,} identities instead of {len(right):,}."
        return
    wrong = right.entries != kept.entries
    wrong[~wrong] = abs(kept.scores - _score_rivals(state, kept))[~wrong] > _SCORE_TOLERANCE
    better = right.scores > kept.scores + _SCORE_TOLERANCE
    # An index that finds nearly all may have missed somebody when the gallery was another.
    if state.index.kind in FINDING_ALL or better.sum() > _MISSED_AT_MOST * len(better):
        wrong |= better
    count = np.count_nonzero(wrong)
    if count:
        yield f"The null sample is out of date for {count:,} of {len(right):,} identities."


def _score_rivals(state: SearchState, sample: NullSample) -> NDArray[np.float64]:
    """Return what the rival of each row scores, (N,); -inf for one who has no visible image."""
    table, scores = state.table, np.full(len(sample), -np.inf)
    codes = np.array([table.identity_codes.get(one, -1) for one in sample.rivals.tolist()])
    rows = table.find_rows(sample.entries)
    known = np.flatnonzero((rows >= 0) & np.isin(codes, table.codes[table.visible]))
    for start in range(0, len(known), _SCORED_AT_A_TIME):
        part = known[start : start + _SCORED_AT_A_TIME]
        queries = state.index.vectors(rows[part])
        scores[part] = state.ranking.score_one_each(queries, codes[part])
    return scores
