"""One bit a dimension in memory, vectors on the disk: short lists by codes, scored exactly."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.entry_table import EntryTable, TableChange
from promptreid.gallery.searching.indexes.bit_codes import Run
from promptreid.gallery.searching.indexes.code_search import CodeSearch, multiply_alone
from promptreid.gallery.searching.indexes.row_store import RowStore
from promptreid.gallery.searching.indexes.segment_guard import holding_segments
from promptreid.gallery.searching.indexes.vector_index import Nearest
from promptreid.processor import count_threads
from promptreid.progress import Progress, Silent

_AT_A_TIME = 8
"""So many queries are searched together: in all threads where there are no others."""


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
        self._search = CodeSearch(self._store)
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
        few = self._list_few(conditions.mask, length)

        def write(query: int, listed: NDArray[np.int64], values: NDArray[np.float32]) -> None:
            best = np.lexsort((listed, -values))[:length]
            rows[query, : len(best)], scores[query, : len(best)] = listed[best], values[best]

        if few is not None:

            def score_few(query: int, few: NDArray[np.int64] = few) -> None:
                listed = few[conditions.may_answer(query, few)]
                write(query, listed, multiply_alone(store.read_vectors(listed), queries[query]))

            self._run(score_few, range(len(queries)))
            return Nearest(rows, scores)
        closed = _find_closed_slots(store, conditions.mask)

        def list_closed(query: int) -> list[NDArray[Any]]:
            own = -1 if conditions.own_cameras is None else conditions.own_cameras[query]
            if own < 0:
                return closed
            return [*closed, store.slot_by_row[conditions.table.camera_codes == own]]

        def search_some(part: slice, run: Run) -> None:
            asked = range(len(queries))[part]
            left_out = [list_closed(query) for query in asked]
            found = self._search.search(queries[part], left_out, length, run)
            for query, scored in zip(asked, found, strict=True):
                write(query, scored.rows, scored.values)

        if len(queries) <= _AT_A_TIME:
            search_some(slice(None), self._run)
        else:
            bounds = self._share_out(len(queries))
            parts = [slice(*pair) for pair in itertools.pairwise(bounds)]
            self._run(lambda place: search_some(parts[place], _run), range(len(parts)))
        return Nearest(rows, scores)

    def _share_out(self, queries: int) -> list[int]:
        """Return the bounds of parts of about equal size, a multiple of threads, for queries."""
        parts = self._thread_count * -(-queries // (_AT_A_TIME * self._thread_count))
        return [queries * part // parts for part in range(parts + 1)]

    def _list_few(self, mask: NDArray[np.bool_] | None, length: int) -> NDArray[np.int64] | None:
        """Return the rows that may answer where all of them can be scored; None where not."""
        count = len(self._store.slot_by_row) if mask is None else np.count_nonzero(mask)
        if count > self._search.count_most(length):
            return None
        return np.arange(count) if mask is None else np.flatnonzero(mask)

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


def _find_closed_slots(store: RowStore, mask: NDArray[np.bool_] | None) -> list[NDArray[np.bool_]]:
    """Return which slots, (S,), may not answer; nothing where all may."""
    if mask is None and len(store.slot_by_row) == len(store.row_by_slot):
        return []
    closed = np.ones(len(store.row_by_slot), bool)
    closed[store.slot_by_row if mask is None else store.slot_by_row[mask]] = False
    return [closed]
