"""Decoded pixels of image files on disk: found by file, size and filter, by any process."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from promptreid.data.images.boxes import ImageSource
from promptreid.data.pixel_cache.cache_folder import PixelFolder
from promptreid.data.pixel_cache.segment import KEY_BYTES, PixelSlot, Segment

_LOOK_AGAIN = 1.0  # seconds between looks at what other processes have written
_RECENT = 2_000_000_000  # nanoseconds
_DECODERS = (version("pillow"), version("torchvision"))


class PixelCache:
    """Pixels of one size and filter. Several threads may use one cache, and several processes.

    Where anything fails (the disk is full, a file is damaged, the folder cannot be written), images
    are decoded as if there were no cache.
    """

    def __init__(self, folder: PixelFolder, size: tuple[int, int], interpolation: str) -> None:
        """Open what is there; nothing is written yet.

        Args:
            folder: Where all pixels are kept, and how many bytes of them.
            size: Height and width in pixels.
            interpolation: The resize filter.
        """
        self._folder = folder
        self._place = folder.path / f"{size[0]}x{size[1]}-{interpolation}"
        self.slot_bytes = 3 * size[0] * size[1]
        self._slots: dict[bytes, PixelSlot] = {}
        self._segments: dict[Path, Segment] = {}
        self._writer: Segment | None = None
        self._full = False
        self._lock = threading.Lock()
        self.refresh()

    def refresh(self) -> None:
        """Take in what other processes have written since."""
        with self._lock:
            self._refreshed = time.monotonic()
            for path in self._place.glob("*.pixels"):
                with contextlib.suppress(OSError):
                    if path not in self._segments:
                        self._segments[path] = Segment(path, self.slot_bytes)
                        os.utime(path)  # the least recently used are erased first
                    self._slots.update(self._segments[path].new_records())

    def read(self, key: bytes, out: NDArray[np.uint8]) -> bool:
        """Copy the pixels of an image.

        Args:
            key: That of its `FileStamp`.
            out: (3, H, W), contiguous.

        Returns:
            Whether they were there; if not, `out` holds anything.
        """
        slot = self._slots.get(key)
        if slot is None and time.monotonic() - self._refreshed > _LOOK_AGAIN:
            self.refresh()
            slot = self._slots.get(key)
        if slot is None:
            return False
        if slot.segment.read(slot, out):
            return True
        self._slots.pop(key, None)
        return False

    def keep(self, key: bytes, pixels: NDArray[np.uint8]) -> None:
        """Write the pixels of an image, where there is room.

        Args:
            key: That of its `FileStamp`.
            pixels: (3, H, W), contiguous.
        """
        if self._full or key in self._slots:
            return
        try:
            with self._lock:
                segment = self._segment_with_room()
                number = None if segment is None else segment.take_slot()
            if segment is not None and number is not None:
                self._slots[key] = segment.write(key, number, pixels)
        except OSError:
            self._full = True

    def _segment_with_room(self) -> Segment | None:
        """Return the segment to append to, or None for good when there is no room for another."""
        most = max(1, self._folder.segment_bytes // self.slot_bytes)
        if self._writer is not None and self._writer.used < most:
            return self._writer
        self._place.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._folder.make_room(most * self.slot_bytes, spare=self._segments.keys()):
            self._full = True
            return None
        self._writer = self._adopted(most) or self._new_segment()
        return self._writer

    def _adopted(self, most: int) -> Segment | None:
        """Go on with a segment that its writer has left with room in it."""
        for path in sorted(self._place.glob("*.pixels")):
            with contextlib.suppress(OSError):
                segment = Segment(path, self.slot_bytes, write=True)
                if segment.lock():
                    segment.begin_writing()
                    if segment.used < most:
                        return segment
                segment.close()
        return None

    def _new_segment(self) -> Segment:
        path = self._place / f"{secrets.token_hex(8)}.pixels"
        segment = Segment(path, self.slot_bytes, write=True)
        segment.lock()  # where a file system has no locks, nobody else knows the name yet
        return segment


class FileStamp(NamedTuple):
    """What names the pixels of an image file.

    Attributes:
        key: 16 bytes that change with anything the pixels depend on but size and filter.
        file_bytes: Size of the file.
    """

    key: bytes
    file_bytes: int


def stamp_file(image: object) -> FileStamp | None:
    """Look at an image file and name its pixels.

    The name hangs on where the file is, its size and the times of its last changes, the part of it
    that is meant, and the libraries that decode it.

    Args:
        image: A file as a path or an `ImageSource`; or an image in memory.

    Returns:
        None for an image in memory or of bytes that are, and for a file that is missing or was
        changed less than two seconds ago, when its time may not tell the next change.
    """
    path, box = (image.path, image.box) if isinstance(image, ImageSource) else (image, None)
    read_before = isinstance(image, ImageSource) and image.content is not None
    if read_before or not isinstance(path, Path):
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    if time.time_ns() - status.st_mtime_ns < _RECENT:
        return None
    file = (os.fsencode(path.absolute()), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    described = repr((file, None if box is None else tuple(box), _DECODERS))
    key = hashlib.blake2b(described.encode(), digest_size=KEY_BYTES).digest()
    return FileStamp(key, status.st_size)
