"""Who may write segments, so that none is written of what somebody erases at the same time."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from promptreid.file_locks import HAS_LOCKS, take_lock
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.indexes.row_segments import RowSegment


@contextlib.contextmanager
def holding_segments(folder: Path, *, wait: bool) -> Generator[bool]:
    """Hold the right to write the segments of a folder, which one process has at a time.

    The system lets go of it when the process ends. Where it has no such locks, everybody holds it.

    Args:
        folder: The folder, in that of the gallery.
        wait: Whether to wait for another process.

    Yields:
        Whether it is held.
    """
    if not HAS_LOCKS:  # nor can a folder be opened there
        yield True
        return
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        yield take_lock(descriptor, math.inf if wait else 0)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def keeping_erased_out(records: Records) -> Generator[None]:
    """Wipe what segments hold of erased entries, and let nobody write one as long as this lasts.

    Call it once the store is rewritten without them. Whoever fills a segment looks first, while
    nobody else may write, which entries are still there, so that none holds an erased one that is
    written afterwards; and what was written before, by whomever, is wiped here.
    """
    folder = records.derived
    if folder is None:
        yield
        return
    with holding_segments(folder, wait=True):
        _wipe_segments(folder, np.sort(records.entry_numbers()))
        yield


def _wipe_segments(folder: Path, enrolled: NDArray[np.int64]) -> None:
    """Write zeros over what is not among the enrolled (N,), ascending; delete what is half."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            continue
        try:
            segment = RowSegment(path)
        except (OSError, ValueError, KeyError):
            with contextlib.suppress(OSError):
                path.unlink()
            continue
        places = np.searchsorted(enrolled, segment.entries)
        known = np.append(enrolled, -1)[places] == segment.entries
        segment.wipe(np.flatnonzero(~known))
        segment.close()
