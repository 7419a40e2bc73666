"""The lock of a run folder: one process at a time trains into it."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

from promptreid.errors import RunError
from promptreid.runs.file_names import LOCK


@contextlib.contextmanager
def held(folder: Path) -> Generator[None]:
    """Hold a run folder; the system lets go of it when the process ends, however it ends.

    Args:
        folder: An existing folder.

    Raises:
        RunError: Another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # no advisory locks on this platform
        yield
        return
    with (folder / LOCK).open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"Another process is training into {folder}. Wait for it or stop it, or give "
                "another --out."
            ) from None
        yield
