"""What SQLite raises, in words."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path

from promptreid.gallery.gallery_errors import StoreFailedError, StoreInUseError
from promptreid.gallery.records.sql.sql_store import refuse_text
from promptreid.gallery.records.sqlite.sqlite_schema import BUSY_SECONDS


@contextlib.contextmanager
def told_in_words(folder: Path) -> Generator[None]:
    """Turn errors of SQLite that a user can mend into sentences.

    Raises:
        StoreInUseError: Another process writes for too long.
        StoreFailedError: The file is damaged or read-only, or the disk is full.
        GalleryError: It cannot keep what it was given.
    """
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.NotSupportedError):
        raise  # a mistake of ours
    except sqlite3.DatabaseError as error:
        words = str(error)
        if "locked" in words or "busy" in words:
            raise tell_in_use(str(folder)) from error
        if "full" in words:
            raise StoreFailedError(
                f"The disk of {folder} is full. Nothing was changed; free some space and try again."
            ) from error
        if "readonly" in words or "unable to open" in words:
            raise StoreFailedError(f"{folder} cannot be written or opened: {words}.") from error
        raise StoreFailedError(
            f"The gallery {folder} cannot be read or written: {words}. Its file is damaged or on a "
            "disk that fails; take it from a backup if this goes on."
        ) from error
    except UnicodeEncodeError as error:
        raise refuse_text(str(folder), error) from error


def tell_in_use(place: str) -> StoreInUseError:
    """Return an error that says that others write for too long."""
    return StoreInUseError(
        f"{place} is in use by another process that has been writing for more than "
        f"{BUSY_SECONDS:.0f} s. Nothing was changed; try again when it is done."
    )


def tell_damage(place: str, what: str) -> StoreFailedError:
    """Return an error that says what of a gallery is not what was written."""
    return StoreFailedError(
        f"The gallery {place} is damaged; it is not what was written: {what}. Take it from a "
        f"backup, or see what can be saved: promptreid gallery check {place} --mend."
    )
