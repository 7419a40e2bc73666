"""Erasing entries, with the proof that no byte of them is left in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from promptreid.errors import GalleryError
from promptreid.gallery.identity_changes import choose_entries
from promptreid.gallery.records.erased_bytes import choose_pieces
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.indexes.segment_guard import keeping_erased_out
from promptreid.gallery.searching.search_state import SearchState
from promptreid.gallery.upkeep.refusals import refuse_contents


@dataclass(frozen=True)
class Erased:
    """What was erased.

    Attributes:
        entries: Number of images.
        identities: Number of identities that have no image left and are gone with them.
        pieces: Pieces of pictures, vectors and audit records that were looked for afterwards, and
            not found.
        place: Where they were looked for, in words.
    """

    entries: int
    identities: int
    pieces: int
    place: str


def erase_entries(
    records: Records,
    state: SearchState,
    identity: str | int | None,
    entries: Sequence[int],
    *,
    seen: int | None = None,
    refuse: bool = False,
    note: Callable[[Sequence[int]], None] = lambda numbers: None,
) -> Erased:
    """Delete an identity or entries, rewrite the store, and look for what is left of them.

    Args:
        records: What they are in.
        state: What follows from it.
        identity: Name or number of somebody, or
        entries: numbers of entries.
        seen: Version of the identity that was seen.
        refuse: Whether the contents must not be enrolled again.
        note: Called within the transaction with the numbers of audit records that lost their
            content.

    Raises:
        GalleryError: There is no such identity or entry, or the identity is not as it was `seen`;
            or another process uses the store, or bytes were found. In the last two cases the
            entries are deleted all the same, and what is left to be done is done at the next
            opening.
    """
    pieces: list[bytes] = []
    with state.changing(records):
        before = set(records.names())
        negatives = {row.negative: row.identity for row in records.negatives()}
        chosen = choose_entries(records, identity, entries, seen=seen)
        rows = state.table.find_rows(np.array(chosen, np.int64))
        for content in state.index.stored_bytes(rows):
            pieces += choose_pieces(content)
        for entry in chosen:
            for content in records.stored_bytes(entry):
                pieces += choose_pieces(content)
        ending = _find_ending(records, set(chosen))
        for negative, shown in negatives.items():
            for content in records.negative_bytes(negative) if shown in ending else ():
                pieces += choose_pieces(content)
        if refuse:
            refuse_contents(records, [row.content_hash for row in records.entry_rows(chosen)])
        note(records.delete(chosen))
        gone = before - records.names().keys()
    records.compact()
    with keeping_erased_out(records):
        left = records.find_bytes(pieces)
    state.settle(records)  # what was deleted of the files
    if left:
        raise GalleryError(
            f"{len(left):,} of {len(pieces):,} pieces of what was erased still stand in files of "
            f"{records.place}. Run: promptreid gallery check {records.place} --mend."
        )
    return Erased(len(chosen), len(gone), len(pieces), records.searched_place)


def _find_ending(records: Records, entries: set[int]) -> set[int]:
    """Return the numbers of the identities that have no other entries than these."""
    identities = {row.identity for row in records.entry_rows(entries)}
    return {one for one in identities if entries.issuperset(records.entries_by_identity(one))}
