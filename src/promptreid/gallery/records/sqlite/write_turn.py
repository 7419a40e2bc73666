"""Whose turn it is to change a gallery in a folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

from promptreid.file_locks import take_lock
from promptreid.gallery.gallery_errors import StoreFailedError
from promptreid.gallery.records.sqlite.sqlite_errors import tell_in_use
from promptreid.gallery.records.sqlite.sqlite_schema import BUSY_SECONDS, FILE

TURN = f"{FILE}-turn"
"""Name of the file whose lock is held."""


@contextlib.contextmanager
def taking_turn(folder: Path, patience: float = BUSY_SECONDS) -> Generator[None]:
    """Let no other connection write, empty the log or rewrite the file as long as this lasts.

    SQLite has a lock of its own for writers, but up to 3.51.2 it can lose a transaction, and with
    it the file, when one connection empties the log while two others write and look whether it is
    empty (https://sqlite.org/wal.html, "The WAL-Reset Bug"). Pythons come with older ones.

    Args:
        folder: The folder of the gallery.
        patience: Seconds to wait for others, who are asked every 2 ms. SQLite asks more rarely the
            longer it waits, so that who has waited long is passed by who comes later.

    Raises:
        StoreInUseError: It was the turn of others all that time.
        StoreFailedError: The folder cannot be written.
    """
    mode = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
    with contextlib.ExitStack() as held:
        try:
            descriptor = os.open(folder / TURN, mode, 0o600)
            held.callback(os.close, descriptor)
            is_taken = take_lock(descriptor, patience)
        except OSError as error:
            raise StoreFailedError(
                f"{folder} cannot be written: {error.strerror or error} ({TURN})."
            ) from error
        if not is_taken:
            raise tell_in_use(str(folder))
        yield
