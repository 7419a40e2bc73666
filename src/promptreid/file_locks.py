"""Advisory locks of files, which end with the process however it ends."""

from __future__ import annotations

import time

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

HAS_LOCKS = fcntl is not None
"""Whether this platform has such locks; where it has none, everybody gets every lock."""

_PAUSE = 0.002
"""Seconds between two attempts of who waits for a limited time."""


def take_lock(descriptor: int, patience: float = 0.0) -> bool:
    """Take the lock of an open file, which is let go of when the file is closed.

    Two openings of one file exclude each other, be they of one process or of two.

    Args:
        descriptor: The open file, or an open folder.
        patience: Seconds to wait for another holder; `math.inf` waits as long as it takes.

    Returns:
        Whether it is taken.

    Raises:
        OSError: The file system has no locks, or fails.
    """
    if fcntl is None:
        return True
    if patience == float("inf"):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return True
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_PAUSE)
        else:
            return True
