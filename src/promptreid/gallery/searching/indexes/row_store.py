"""The vectors of a table in segments on the disk and a rest in memory, with codes of all of them.

Every vector has a slot; slots are given as vectors come and are not used again. A row of the table
is found by its slot, so that neither erasing nor the order of files moves anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.growing_array import GrowingArray
from promptreid.gallery.searching.indexes.bit_codes import BitCoder, CodeBlocks
from promptreid.gallery.searching.indexes.row_segments import (
    SEGMENT,
    RowSegment,
    SegmentContent,
    list_segments,
)
from promptreid.progress import Progress
from promptreid.progress.counted_task import counting

_CODES_AT_A_TIME = 1 << 18
_MAPPED = 256 << 20
"""Bytes of vectors up to which files are mapped; what is read of larger ones is not kept."""
_READ_AT_A_TIME = 8192


class RowStore:
    """Vectors and codes by slot, and which slot a row has.

    Attributes:
        folder: Where the segments are.
        coder: Makes the codes; None before the first vector.
        codes: (S,) codes by slot.
        slot_by_row: (M,) slot of each row of the table.
        row_by_slot: (S,) row of each slot, -1 where the entry was erased.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder of the segments, which need not be there."""
        self.folder = folder
        self._segments: list[RowSegment] = []
        self._starts: list[int] = []
        self.forget()

    def forget(self) -> None:
        """Forget everything but the files."""
        for segment in self._segments:
            segment.close()
        self._segments, self._starts = [], []
        self._rest: GrowingArray | None = None
        self._rest_codes: GrowingArray | None = None
        self._rest_start = 0
        self._erased: list[int] = []
        self.coder: BitCoder | None = None
        self.codes: CodeBlocks | None = None
        self.slot_by_row = np.empty(0, np.int32)
        self.row_by_slot = np.empty(0, np.int32)

    def open(self, table: EntryTable) -> None:
        """Take over the segments of a folder, as far as they fit a table.

        What they hold of entries that are not in the table is written over.
        """
        self.slot_by_row = np.full(len(table), -1, np.int32)
        found = [np.empty(0, np.int32)]
        for segment in list_segments(self.folder, table.fingerprint or ""):
            rows = table.find_rows(segment.entries)
            there = rows >= 0
            there[there] = table.draws[rows[there]] == segment.draws[there]
            there[there] = self.slot_by_row[rows[there]] < 0
            centred = self.coder is None or np.array_equal(self.coder.centre, segment.centre)
            if not centred or there.sum() < len(segment) // 2:
                segment.close()
                segment.path.unlink(missing_ok=True)
                continue
            segment.wipe(np.flatnonzero(~there))
            if self.codes is None:
                self._use_centre(segment.centre)
            assert self.codes is not None
            self.codes.extend(segment.codes)
            segment.forget_pages()
            self._starts.append(self._rest_start)
            self._segments.append(segment)
            slots = np.arange(self._rest_start, self._rest_start + len(segment))
            self._rest_start += len(segment)
            found.append(np.where(there, rows, -1).astype(np.int32))
            self.slot_by_row[rows[there]] = slots[there]
        self.row_by_slot = np.concatenate(found)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Follow a table that has lost rows; (M,) says which it has kept."""
        self._erased += self.slot_by_row[~kept].tolist()
        self.slot_by_row = self.slot_by_row[kept]
        self.row_by_slot = np.full(len(self.row_by_slot), -1, np.int32)
        self.row_by_slot[self.slot_by_row] = np.arange(len(self.slot_by_row))

    def extend(self, table: EntryTable, records: Records, progress: Progress) -> None:
        """Read the vectors of rows that have none yet, which is told where it takes long."""
        before = len(self.slot_by_row)
        self.slot_by_row = np.append(self.slot_by_row, np.full(len(table) - before, -1, np.int32))
        missing = np.flatnonzero(self.slot_by_row < 0)
        if len(missing) <= SEGMENT:
            if len(missing):
                self._append(missing, records.vectors(table.entries[missing].tolist()))
            return
        with (
            counting(progress, "making the index", len(missing), "entries"),
            contextlib.closing(_read_ahead(table, records, missing)) as parts,
        ):
            for rows, vectors in parts:
                self._append(rows, vectors)
                self.write_segments(table)  # which are more than should be in memory
                progress.advance(len(rows))

    @property
    def fills_segment(self) -> bool:
        """Whether what is in memory fills a segment."""
        return self._rest is not None and len(self._rest.values) >= SEGMENT

    def write_segments(self, table: EntryTable, enrolled: NDArray[np.int64] | None = None) -> None:
        """Write what is in memory as far as it fills segments; what cannot be written stays.

        Args:
            table: The entries.
            enrolled: Numbers of the entries that are still in the records, where that may not be
                all of the table; others are left out.
        """
        while self._rest is not None and self._rest_codes is not None and self.fills_segment:
            if not self._segments:  # the first vectors that came say little of those that followed
                self._encode_anew()
            try:
                segment = RowSegment.write(self.folder, self._make_content(table, enrolled))
            except OSError:
                return
            self._starts.append(self._rest_start)
            self._segments.append(segment)
            self._rest.drop_first(SEGMENT)
            self._rest_codes.drop_first(SEGMENT)
            self._rest_start += SEGMENT

    def wipe_erased(self) -> None:
        """Write zeros over what files hold of rows that the table has lost."""
        for segment, places, _ in self._split(np.array(self._erased, np.int64)):
            if isinstance(segment, RowSegment):
                segment.wipe(places)
        self._erased = []

    def read_vectors(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the vectors (N, d) of some rows; threads may call it at a time."""
        width = 0 if self.coder is None else len(self.coder.centre)
        vectors = np.empty((len(rows), width), np.float32)
        for source, places, wanted in self._split(self.slot_by_row[rows].astype(np.int64)):
            if isinstance(source, GrowingArray):
                vectors[wanted] = source.values[places]
            elif self._is_mapped:
                vectors[wanted] = source.vectors[places]
            else:
                vectors[wanted] = source.read_rows(places)
        return vectors

    def read_file_codes(self, rows: NDArray[np.integer]) -> list[bytes]:
        """Return the codes that files hold of some rows."""
        return [
            code.tobytes()
            for segment, places, _ in self._split(self.slot_by_row[rows].astype(np.int64))
            if isinstance(segment, RowSegment)
            for code in segment.codes[places]
        ]

    @property
    def _is_mapped(self) -> bool:
        """Whether all vectors in files may be in the memory of this process."""
        return (
            self._rest_start * 4 * (0 if self.coder is None else len(self.coder.centre)) <= _MAPPED
        )

    def _use_centre(self, centre: NDArray[np.float32]) -> BitCoder:
        self.coder = BitCoder(centre)
        self.codes = CodeBlocks(self.coder.words, _CODES_AT_A_TIME)
        return self.coder

    def _append(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Give slots to some rows, whose vectors stay in memory for now."""
        if self.coder is None:
            self._use_centre(vectors.mean(axis=0))
        assert self.coder is not None
        if self._rest is None or self._rest_codes is None:
            self._rest = GrowingArray(np.float32, vectors.shape[1:])
            self._rest_codes = GrowingArray(np.uint64, (self.coder.words,))
        assert self.codes is not None
        slots = np.arange(len(self.row_by_slot), len(self.row_by_slot) + len(rows))
        codes = self.coder.encode(vectors)
        self.codes.extend(codes)
        self._rest_codes.extend(codes)
        self._rest.extend(vectors)
        self.row_by_slot = np.append(self.row_by_slot, rows.astype(np.int32))
        self.slot_by_row[rows] = slots

    def _encode_anew(self) -> None:
        """Make all codes around the mean of what is in memory, where nothing is in files."""
        assert self._rest is not None
        coder = self._use_centre(self._rest.values[:SEGMENT].mean(axis=0))
        assert self.codes is not None
        self._rest_codes = GrowingArray(np.uint64, (coder.words,))
        for start in range(0, len(self._rest.values), _READ_AT_A_TIME):
            codes = coder.encode(self._rest.values[start : start + _READ_AT_A_TIME])
            self.codes.extend(codes)
            self._rest_codes.extend(codes)

    def _make_content(
        self, table: EntryTable, enrolled: NDArray[np.int64] | None
    ) -> SegmentContent:
        """Return the next segment; what was erased of it is zero."""
        assert self._rest is not None
        assert self._rest_codes is not None
        assert self.coder is not None
        rows = self.row_by_slot[self._rest_start : self._rest_start + SEGMENT]
        alive = rows >= 0
        if enrolled is not None:
            alive &= np.isin(table.entries[rows], enrolled)
        vectors, codes = self._rest.values[:SEGMENT], self._rest_codes.values[:SEGMENT]
        if not alive.all():
            vectors = np.where(alive[:, None], vectors, np.float32(0))
            codes = np.where(alive[:, None], codes, np.uint64(0))
        return SegmentContent(
            fingerprint=table.fingerprint or "",
            entries=np.where(alive, table.entries[rows], -1),
            draws=np.where(alive, table.draws[rows], np.uint64(0)),
            centre=self.coder.centre,
            codes=codes,
            vectors=vectors,
        )

    def _split(
        self, slots: NDArray[np.int64]
    ) -> Iterator[tuple[RowSegment | GrowingArray, NDArray[np.int64], NDArray[np.int64]]]:
        """Give where slots are: a segment or the rest, places in it, and which slots these are."""
        order = np.argsort(slots, kind="stable")
        starts = [*self._starts, self._rest_start]
        bounds = [*np.searchsorted(slots[order], starts).tolist(), len(slots)]
        sources: list[RowSegment | GrowingArray | None] = [*self._segments, self._rest]
        for source, start, first, end in zip(sources, starts, bounds[:-1], bounds[1:], strict=True):
            if source is not None and first < end:
                yield source, slots[order[first:end]] - start, order[first:end]


def _read_ahead(
    table: EntryTable, records: Records, rows: NDArray[np.int64]
) -> Generator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Give some rows in parts with their vectors; the next ones are read while one is used."""
    step = min(SEGMENT, _READ_AT_A_TIME)
    parts = [rows[start : start + step] for start in range(0, len(rows), step)]

    def read(part: NDArray[np.int64]) -> NDArray[np.float32]:
        return records.vectors(table.entries[part].tolist())

    with ThreadPoolExecutor(1) as reader:
        pending = reader.submit(read, parts[0])
        for part, following in zip(parts, [*parts[1:], None], strict=True):
            vectors = pending.result()
            if following is not None:
                pending = reader.submit(read, following)
            yield part, vectors
