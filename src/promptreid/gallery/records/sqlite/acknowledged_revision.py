"""The revision that was acknowledged last, noted in a small file beside the records.

A log of SQLite that is damaged, cut off or missing looks like that of a process that was stopped
while it wrote: SQLite goes on with what came before, without a word. The note is written after each
commit, so it is never ahead of the records, and tells when they have fallen behind it.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path

NOTE = "acknowledged"
"""Name of the file."""


def note_revision(folder: Path, revision: int) -> None:
    """Note a revision that was committed; nothing waits for the disk, and a full one is no error.

    Of two processes that note at the same time the lower revision may stay, which is a weaker note
    and not a wrong one.
    """
    digits = f"{revision:016d}"
    content = f"{digits} {zlib.crc32(digits.encode()):08x}\n".encode()
    with contextlib.suppress(OSError):
        file = os.open(folder / NOTE, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(file, content)
        finally:
            os.close(file)


def read_noted_revision(folder: Path) -> int:
    """Return the revision that was noted; -1 where there is no note that can be read."""
    try:
        digits, _, checksum = (folder / NOTE).read_text(encoding="ascii").strip().partition(" ")
        return int(digits) if int(checksum, 16) == zlib.crc32(digits.encode()) else -1
    except (OSError, ValueError):
        return -1
