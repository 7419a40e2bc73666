"""One bit a dimension in memory, vectors on the disk: short lists by codes, scored exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.entry_table import EntryTable, TableChange
from promptreid.gallery.searching.indexes.bit_codes import WORD
from promptreid.gallery.searching.indexes.row_store import RowStore
from promptreid.gallery.searching.indexes.segment_guard import holding_segments
from promptreid.gallery.searching.indexes.vector_index import Nearest
from promptreid.processor import count_threads
from promptreid.progress import Progress, Silent

_FIRST_SCORED = 512
"""Entries whose codes are most alike that are scored at first."""
_MOST_SCORED = 2048
_MOST_SCORED_OF = 1000
"""At most `_MOST_SCORED` entries and one in so many of all are scored for a query."""
_SAMPLE = 16384
_FEW_QUERIES = 4
"""So many queries or fewer share the threads block by block, more of them query by query."""


class BitsIndex:
    """Compares codes of 64 bytes (512 dimensions) and scores a short list exactly.

    The list is long enough when the codes of anything as alike as what was found differ in so many
    bits with a chance of `bit_codes.MISSED` at most: an entry that belongs among the first is then
    missed with no greater chance, whatever the vectors are. Where that takes too long a list
    (`_MOST_SCORED`), as it does for what is hardly more alike than strangers are, what is found is
    as good as was measured (docs/performance.md).
    """

    kind = "bits"

    def __init__(
        self, folder: Path, progress: Progress | None = None, threads: int | None = None
    ) -> None:
        """Keep vectors in a folder, which need not be there.

        Args:
            folder: The folder.
            progress: Told when many vectors are read.
            threads: How many search at a time; None for as many as NumPy takes.
        """
        self._store = RowStore(folder)
        self._progress = progress or Silent()
        self._table = EntryTable()
        self._records: Records | None = None
        self._is_open = False
        self._thread_count = threads or count_threads()
        self._threads: ThreadPoolExecutor | None = None

    def clear(self) -> None:
        """Forget everything but the files."""
        self._store.forget()
        self._is_open = False

    def follow(self, table: EntryTable, change: TableChange, records: Records) -> None:
        """Take over what became of a table; files are compared with it after `clear`."""
        if change.anew:
            self.clear()
        self._table, self._records = table, records
        if not self._is_open:
            self._store.open(table)
            self._is_open = True
        elif change.kept is not None:
            self._store.keep(change.kept)
        self._store.extend(table, records, self._progress if change.anew else Silent())

    def settle(self) -> None:
        """Write full segments, and zeros over what was erased.

        What others erased since `follow` is not written; nothing is, while somebody looks for what
        an erasure has left, but stays in memory until the next call.
        """
        self._store.wipe_erased()
        if self._records is None or not self._store.fills_segment:
            return
        with holding_segments(self._store.folder, wait=False) as is_held:
            if is_held:
                changed = self._records.revision() != self._table.revision
                enrolled = self._records.entry_numbers() if changed else None
                self._store.write_segments(self._table, enrolled)

    def close(self) -> None:
        """Let go of files and threads."""
        self.clear()
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    def stored_bytes(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return the codes that files hold; the vectors there are those of the records."""
        return self._store.read_file_codes(rows)

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors (N, d) of some rows."""
        return self._store.read_vectors(rows)

    def score(self, queries: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return cosines (Q, N) of queries to some rows."""
        return queries @ self._store.read_vectors(rows).T

    def search(self, queries: NDArray[np.float32], conditions: Conditions, length: int) -> Nearest:
        """Find the entries that are most alike, by codes first."""
        store = self._store
        length = min(length, len(store.slot_by_row))
        rows = np.full((len(queries), length), -1, np.int64)
        scores = np.full((len(queries), length), -np.inf, np.float32)
        if length == 0 or store.coder is None or store.codes is None:
            return Nearest(rows, scores)
        codes = store.coder.encode(queries)
        few = self._list_few(conditions.mask, length)
        closed = None if few is not None else _find_closed_slots(store, conditions.mask)
        alone = len(queries) <= _FEW_QUERIES

        blocks = store.codes
        beyond = WORD * store.coder.words + 1  # more bits than can differ: it may not answer

        def search_one(query: int) -> None:
            if few is None:
                differing = blocks.count_differing(codes[query], self._run if alone else _run)
                if closed is not None:
                    differing[closed] = beyond
                own = None if conditions.own_cameras is None else conditions.own_cameras[query]
                if own is not None and own >= 0:
                    differing[store.slot_by_row[conditions.table.camera_codes == own]] = beyond
                listed, values = self._score_shortlist(queries[query], differing, length)
            else:
                listed = few[conditions.may_answer(query, few)]
                values = _multiply(store.read_vectors(listed), queries[query])
            best = np.lexsort((listed, -values))[:length]
            rows[query, : len(best)], scores[query, : len(best)] = listed[best], values[best]

        (_run if alone else self._run)(search_one, range(len(queries)))
        return Nearest(rows, scores)

    def _list_few(self, mask: NDArray[np.bool_] | None, length: int) -> NDArray[np.int64] | None:
        """Return the rows that may answer where all of them can be scored; None where not."""
        count = len(self._store.slot_by_row) if mask is None else np.count_nonzero(mask)
        if count > _count_most(len(self._store.slot_by_row), length):
            return None
        return np.arange(count) if mask is None else np.flatnonzero(mask)

    def _score_shortlist(
        self, query: NDArray[np.float32], differing: NDArray[np.uint16], length: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Score the rows that differ least from a query, as many as it takes: rows and cosines."""
        store = self._store
        assert store.coder is not None
        most = _count_most(len(store.slot_by_row), length)
        slots, amounts = _list_alike(differing, WORD * store.coder.words, most)
        reached = np.bincount(amounts).cumsum()
        first = int(np.searchsorted(reached, min(max(_FIRST_SCORED, 2 * length), len(slots))))
        rows = store.row_by_slot[slots[amounts <= first]].astype(np.int64)
        vectors = store.read_vectors(rows)
        values = _multiply(vectors, query)
        last = int(np.searchsorted(reached, most, side="right")) - 1
        if len(values) >= length:
            best = vectors[np.argpartition(values, -length)[-length:]]
            least = _least_cosine(best, query, store.coder.centre)
            last = min(last, store.coder.bits_needed(least))
        if last <= first:
            return rows, values
        others = store.row_by_slot[slots[(amounts > first) & (amounts <= last)]].astype(np.int64)
        other_values = _multiply(store.read_vectors(others), query)
        return np.concatenate([rows, others]), np.concatenate([values, other_values])

    def _run(self, function: Callable[[int], None], numbers: Iterable[int]) -> None:
        """Call a function for each number, in threads where there are to be several."""
        if self._thread_count == 1:
            _run(function, numbers)
            return
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._thread_count)
        list(self._threads.map(function, numbers))


def _run(function: Callable[[int], None], numbers: Iterable[int]) -> None:
    for number in numbers:
        function(number)


def _count_most(rows: int, length: int) -> int:
    """Return how many entries are scored for a query at most."""
    return max(_MOST_SCORED + rows // _MOST_SCORED_OF, 4 * length)


def _list_alike(
    differing: NDArray[np.uint16], bits: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """Return slots that differ least, `most` or more of them or all, and in how many bits.

    In how many that is at most is seen in a sample, so that not all have to be sorted.

    Args:
        differing: (S,) in how many bits each slot differs; more than `bits` where it is closed.
        bits: Bits of a code.
        most: How many are wanted.
    """
    step = max(1, len(differing) // _SAMPLE)
    reached = np.bincount(differing[::step], minlength=bits + 1)[: bits + 1].cumsum()
    border = min(int(np.searchsorted(step * reached, 2 * most)), bits)
    slots = np.flatnonzero(differing <= border)
    if len(slots) <= most:
        slots = np.flatnonzero(differing <= bits)
    return slots, differing[slots]


def _find_closed_slots(store: RowStore, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Return which slots, (S,), may not answer; None where all may."""
    if mask is None and len(store.slot_by_row) == len(store.row_by_slot):
        return None
    closed = np.ones(len(store.row_by_slot), bool)
    closed[store.slot_by_row if mask is None else store.slot_by_row[mask]] = False
    return closed


def _least_cosine(
    vectors: NDArray[np.float32], query: NDArray[np.float32], centre: NDArray[np.float32]
) -> float:
    """Return the least cosine of some vectors with a query, seen from the centre."""
    around, asked = vectors - centre, query - centre
    lengths = np.linalg.norm(around, axis=1) * np.linalg.norm(asked)
    return float((_multiply(around, asked) / np.maximum(lengths, 1e-12)).min())


def _multiply(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the products (N,) of (N, d) vectors and (d,) query in one thread, as others run."""
    return np.einsum("nd,d->n", vectors, query)
