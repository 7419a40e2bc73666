"""Vectors of entries in files that can be made anew, read without being in memory.

A segment is a file of up to `SEGMENT` vectors with their codes. It is written beside and renamed,
and never changed but for one thing: what is erased is written over with zeros. Several processes
may use the files of one folder: the name of a segment follows from what is in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptreid.files import replacing
from promptreid.gallery.gallery_errors import StoreFailedError

SEGMENT = 32768
"""Vectors of a full segment; fewer stay in memory."""

SUFFIX = ".rows"
TABLE_FILE = "entries.table"
"""Name of the one file beside the segments, what is known of every entry."""
CAN_READ_ROWS = hasattr(os, "preadv")
"""Whether the system reads parts of files into memory that is given; not on Windows."""
_HEADER = 4096
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class SegmentContent:
    """What goes into a segment, N entries of one model.

    Attributes:
        fingerprint: That of the model.
        entries: (N,) numbers, ascending.
        draws: (N,) beginnings of content hashes, which tell entries of other records apart.
        centre: (d,) what the codes are around.
        codes: (N, words).
        vectors: (N, d).
    """

    fingerprint: str
    entries: NDArray[np.int64]
    draws: NDArray[np.uint64]
    centre: NDArray[np.float32]
    codes: NDArray[np.uint64]
    vectors: NDArray[np.float32]

    @property
    def name(self) -> str:
        """Name of the file, by content."""
        digest = hashlib.sha256(self.fingerprint.encode())
        for column in (self.entries, self.draws, self.centre):
            digest.update(np.ascontiguousarray(column).data)
        return f"{self.entries[0]}-{self.entries[-1]}-{digest.hexdigest()[:16]}{SUFFIX}"


class RowSegment:
    """A file of vectors, mapped.

    Attributes:
        path: The file.
        fingerprint: That of the model.
        entries: (N,) numbers of the entries, those that were erased since included.
        draws: (N,) beginnings of their content hashes.
        centre: (d,) what the codes are around.
        codes: (N, words), as they are in the file.
        vectors: (N, d), as they are in the file.
    """

    def __init__(self, path: Path) -> None:
        """Map a file.

        Raises:
            ValueError: It is no whole segment.
            OSError: It cannot be read.
        """
        self.path = path
        with contextlib.ExitStack() as opened:
            file = opened.enter_context(path.open("rb", buffering=0))
            header = json.loads(file.read(_HEADER).rstrip(b" ") or b"{}")
            if header.get("format") != _FORMAT or header["bytes"] != path.stat().st_size:
                raise ValueError(f"{path} is no whole segment")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            opened.pop_all()
        self._file = file
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        if hasattr(self._map, "madvise"):
            self._map.madvise(mmap.MADV_RANDOM)
        count, width, words = header["count"], header["width"], header["words"]
        self.fingerprint: str = header["fingerprint"]
        self._place = _HEADER
        self.entries = self._read(np.int64, (count,)).copy()
        self.draws = self._read(np.uint64, (count,)).copy()
        self.centre = self._read(np.float32, (width,)).copy()
        self._codes_at = self._place
        self.codes = self._read(np.uint64, (count, words))
        self._vectors_at = self._place
        self.vectors = self._read(np.float32, (count, width))

    @classmethod
    def write(cls, folder: Path, content: SegmentContent) -> RowSegment:
        """Write a segment, unless it is there, and map it.

        Raises:
            OSError: It cannot be written.
        """
        path = folder / content.name
        if not path.is_file():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replacing(path) as temporary:
                _write(temporary, content)
        return cls(path)

    def __len__(self) -> int:
        return len(self.entries)

    def read_rows(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors at some places (N,), which ascend, without mapping them.

        A page of a map brings its neighbours into the memory of the process, and is slow to come
        and to go.

        Raises:
            StoreFailedError: The file was cut off since it was opened.
        """
        rows = np.empty((len(places), self.vectors.shape[1]), np.float32)
        if not CAN_READ_ROWS:
            rows[:] = self.vectors[places]
            return rows
        content, size = rows.data.cast("B"), rows.shape[1] * rows.itemsize
        gaps = np.flatnonzero(places[1:] != places[:-1] + 1) + 1
        firsts = [0, *gaps.tolist()]  # of rows that follow each other
        offsets = (self._vectors_at + places[firsts] * size).tolist()
        bounds = [*(size * first for first in firsts), len(content)]
        file = self._file.fileno()
        for offset, (start, end) in zip(offsets, itertools.pairwise(bounds), strict=True):
            if os.preadv(file, [content[start:end]], offset) != end - start:
                raise StoreFailedError(
                    f"{self.path} is shorter than it was. It is made anew when the gallery is "
                    "opened again."
                )
        return rows

    def wipe(self, places: NDArray[np.int64]) -> None:
        """Write zeros over some vectors and their codes, and wait until they are on the disk.

        A file that another process has deleted stays as it is; it is gone once nobody holds it.
        """
        alive = places[self.codes[places].any(axis=1) | self.vectors[places].any(axis=1)]
        if not len(alive):
            return
        try:
            opened = self.path.open("rb+")
        except FileNotFoundError:
            return
        with opened as file:
            for place in alive.tolist():
                for start, rows in ((self._codes_at, self.codes), (self._vectors_at, self.vectors)):
                    size = rows.shape[1] * rows.itemsize
                    file.seek(start + place * size)
                    file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())

    def forget_pages(self) -> None:
        """Let pages that were read leave this process; they stay in the system's memory."""
        if hasattr(self._map, "madvise") and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        """Let go of the file; arrays that were read from it must not be used any more."""
        self.codes = self.codes[:0].copy()
        self.vectors = self.vectors[:0].copy()
        self._file.close()
        with contextlib.suppress(BufferError):  # somebody still holds an array
            self._map.close()

    def _read(self, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        count = int(np.prod(shape))
        values = np.frombuffer(self._map, dtype, count, self._place).reshape(shape)
        self._place += values.nbytes
        return values


def list_segments(folder: Path, fingerprint: str) -> list[RowSegment]:
    """Return the segments of a folder that are of a model, by their first entry.

    Those of another model, half ones and what a process left that was stopped are deleted.
    """
    segments = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name == TABLE_FILE:
            continue
        try:
            segment = RowSegment(path)
            if segment.fingerprint == fingerprint:
                segments.append(segment)
                continue
            segment.close()
        except (OSError, ValueError, KeyError):
            pass
        with contextlib.suppress(OSError):
            path.unlink()
    return sorted(segments, key=lambda one: int(one.entries[0]))


def _write(path: Path, content: SegmentContent) -> None:
    columns = (content.entries, content.draws, content.centre, content.codes, content.vectors)
    arrays = [np.ascontiguousarray(column) for column in columns]
    header = {
        "format": _FORMAT,
        "fingerprint": content.fingerprint,
        "count": len(content.entries),
        "width": content.vectors.shape[1],
        "words": content.codes.shape[1],
        "bytes": _HEADER + sum(one.nbytes for one in arrays),
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(header).encode().ljust(_HEADER))
        for one in arrays:
            file.write(one.data)
