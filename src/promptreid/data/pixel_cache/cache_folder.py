"""The folder of kept pixels: where it is, how much it may hold, and what gives way."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from promptreid.data.pixel_cache.segment import Segment, records_path
from promptreid.errors import ConfigError
from promptreid.files import remove_least_used, user_cache

LIMIT_VARIABLE = "PROMPTREID_PIXEL_CACHE_GIB"
"""Environment variable that says how many GiB of pixels are kept; 0 keeps none."""

_DEFAULT_GIB = 20.0
_LARGEST_SEGMENT = 1 << 30  # bytes
_SEGMENTS_AT_LEAST = 8  # in a full folder, so that not all of it gives way at once


@dataclass(frozen=True)
class PixelFolder:
    """A folder of kept pixels.

    Attributes:
        path: The folder, with one of its own for each size and filter.
        limit: Bytes that may be kept.
        free_share: Part of the disk that stays free for others.
    """

    path: Path
    limit: int
    free_share: float = 0.05

    @property
    def segment_bytes(self) -> int:
        """Bytes of one segment, which is erased as a whole."""
        return min(_LARGEST_SEGMENT, self.limit // _SEGMENTS_AT_LEAST)

    def make_room(self, wanted: int, *, spare: Set[Path]) -> bool:
        """Erase what was not used for longest until there is room.

        Args:
            wanted: Bytes that are to be written.
            spare: Files of pixels that must stay, since this process uses them. What another
                process appends to stays as well; what it only reads, it goes on reading.

        Returns:
            Whether there is room now: below the limit, and with that part of the disk free.

        Raises:
            OSError: The disk fails.
        """
        disk = shutil.disk_usage(self.path)
        excess = self.used() + wanted - self.limit
        excess = max(excess, int(wanted - (disk.free - self.free_share * disk.total)))
        others = [path for path in self._files() if path not in spare]
        return remove_least_used(others, excess, _erase) <= 0

    def used(self) -> int:
        """Return the bytes that are kept."""
        return sum(map(_bytes_on_disk, self._files()))

    def clear(self) -> int:
        """Erase all pixels but those that a running process is writing.

        Returns:
            Bytes that were erased.
        """
        return sum(map(_erase, self._files()))

    def _files(self) -> list[Path]:
        return sorted(self.path.glob("*/*.pixels"))


def default_pixel_folder() -> PixelFolder | None:
    """Return the user's folder of pixels; None when the environment or the system allows none.

    Raises:
        ConfigError: The environment variable `PROMPTREID_PIXEL_CACHE_GIB` is not a number from 0.
    """
    text = os.environ.get(LIMIT_VARIABLE, "").strip()
    try:
        gib = float(text) if text else _DEFAULT_GIB
    except ValueError:
        gib = -1.0
    if not 0 <= gib < float("inf"):
        raise ConfigError(
            f"The environment variable {LIMIT_VARIABLE} is {text!r}; it must be a number of GiB, "
            "0 or more. 0 keeps no decoded images on disk."
        )
    if gib == 0 or not hasattr(os, "preadv"):
        return None
    return PixelFolder(user_cache("pixels"), int(gib * (1 << 30)))


def _bytes_on_disk(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_blocks * 512
    return 0


def _erase(path: Path) -> int:
    """Erase a segment unless a process appends to it, and return the bytes that it had."""
    size = _bytes_on_disk(path)
    try:
        segment = Segment(path, 1)
        try:
            if not segment.lock():
                return 0
            # The records first: without them the pixels count as nothing.
            records_path(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        finally:
            segment.close()
    except FileNotFoundError:  # half of a pair, which an interrupted erasure has left
        path.unlink(missing_ok=True)
    return size
