"""One pair of files of the pixel cache: pixels in equal slots, and records of what each slot holds.

One process at a time appends to a segment, any number read it, and none waits for another. Pixels
are written before the record that names them, so that a process killed in between loses a slot and
nothing else. A record carries a check sum of its pixels and one of itself: after a power cut, when
the disk may have kept the one and not the other, the slot counts as never written.

Pixels are read into place by `os.preadv` rather than through a memory map. It copies as many bytes,
and where a file was cut off or its disk fails it gives an error, where a map kills the process.
"""

from __future__ import annotations

import hashlib
import os
import struct
import weakref
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from promptreid.file_locks import HAS_LOCKS, take_lock

KEY_BYTES = 16

_FIELDS = struct.Struct(f"<{KEY_BYTES}sII")  # key, slot, check sum of the pixels
_CHECK_BYTES = 8
_RECORD_BYTES = _FIELDS.size + _CHECK_BYTES


class PixelSlot(NamedTuple):
    """Where the pixels of one image are.

    Attributes:
        segment: The pair of files.
        number: Place in the file of pixels.
        checksum: CRC-32 of the pixels.
    """

    segment: Segment
    number: int
    checksum: int


class Segment:
    """A segment that is open for reading, and for writing by the process that holds its lock."""

    def __init__(self, pixels: Path, slot_bytes: int, *, write: bool = False) -> None:
        """Open a segment; with `write` make it where it is missing.

        Args:
            pixels: The file of pixels; its records lie beside it.
            slot_bytes: Bytes of an image.
            write: Whether this process appends. It must hold the lock; see `lock`.

        Raises:
            OSError: A file cannot be opened.
        """
        self.path, self.slot_bytes, self._write = pixels, slot_bytes, write
        mode = (os.O_RDWR | os.O_CREAT if write else os.O_RDONLY) | getattr(os, "O_CLOEXEC", 0)
        self._pixels = os.open(pixels, mode, 0o600)
        try:
            self._records = os.open(records_path(pixels), mode | os.O_APPEND, 0o600)
        except OSError:
            os.close(self._pixels)
            raise
        self.close = weakref.finalize(self, _close, self._pixels, self._records)
        """Close both files and end the lock; done by itself when nothing uses the segment."""
        self._read = 0
        self._next = 0
        self._checked: set[int] = set()

    def lock(self) -> bool:
        """Take the right to append for as long as the segment is open; False when another has it.

        A file that was erased in the meantime is not locked either.
        """
        try:
            if not (HAS_LOCKS and take_lock(self._records)):
                return False
            there = records_path(self.path).stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._records))

    def new_records(self) -> list[tuple[bytes, PixelSlot]]:
        """Read the records that were added since the last call: keys, and where their pixels are.

        Raises:
            OSError: The disk fails.
        """
        whole = os.fstat(self._records).st_size // _RECORD_BYTES * _RECORD_BYTES
        content = os.pread(self._records, whole - self._read, self._read)
        content = content[: len(content) // _RECORD_BYTES * _RECORD_BYTES]
        self._read += len(content)
        written = os.fstat(self._pixels).st_size // self.slot_bytes
        records = []
        for start in range(0, len(content), _RECORD_BYTES):
            fields = content[start : start + _FIELDS.size]
            key, number, checksum = _FIELDS.unpack(fields)
            whole_record = fields + _record_check(fields) == content[start : start + _RECORD_BYTES]
            if whole_record and number < written:
                records.append((key, PixelSlot(self, number, checksum)))
                self._next = max(self._next, number + 1)
        return records

    def read(self, slot: PixelSlot, out: NDArray[np.uint8]) -> bool:
        """Copy the pixels of a slot, and compare their check sum the first time.

        Args:
            slot: One of this segment.
            out: Contiguous, of `slot_bytes` bytes.

        Returns:
            Whether the pixels are those that were written; if not, `out` holds anything.
        """
        view = out.data.cast("B")
        try:
            count = os.preadv(self._pixels, [view], slot.number * self.slot_bytes)
        except OSError:
            return False
        if count != self.slot_bytes:
            return False
        if slot.number not in self._checked:
            if zlib.crc32(view) != slot.checksum:
                return False
            self._checked.add(slot.number)
        return True

    def begin_writing(self) -> None:
        """Find where to append: behind all records, and cut off half a record of a killed process.

        Raises:
            OSError: The disk fails.
        """
        self.new_records()
        os.ftruncate(self._records, self._read)

    @property
    def used(self) -> int:
        """Slots up to the last that is in use, for the process that appends."""
        return self._next

    def take_slot(self) -> int:
        """Reserve the next slot for the process that appends."""
        self._next += 1
        return self._next - 1

    def write(self, key: bytes, number: int, pixels: NDArray[np.uint8]) -> PixelSlot:
        """Write pixels into a slot that was taken, then the record that names them.

        Args:
            key: Names the image, 16 bytes.
            number: What `take_slot` gave.
            pixels: Contiguous, of `slot_bytes` bytes.

        Raises:
            OSError: The disk is full or fails; nothing is recorded then.
        """
        view = pixels.data.cast("B")
        place = number * self.slot_bytes
        while view:
            written = os.pwrite(self._pixels, view, place)
            view, place = view[written:], place + written
        checksum = zlib.crc32(pixels.data.cast("B"))
        fields = _FIELDS.pack(key, number, checksum)
        if os.write(self._records, fields + _record_check(fields)) != _RECORD_BYTES:
            raise OSError("The record of a slot was written in part.")
        self._checked.add(number)
        return PixelSlot(self, number, checksum)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def records_path(pixels: Path) -> Path:
    """Return the file of records that belongs to a file of pixels."""
    return pixels.with_suffix(".records")


def _record_check(fields: bytes) -> bytes:
    return hashlib.blake2b(fields, digest_size=_CHECK_BYTES).digest()
