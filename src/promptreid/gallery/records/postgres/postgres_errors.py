"""What PostgreSQL and its driver raise, in words."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import psycopg
from psycopg import errors

from promptreid.errors import GalleryError, first_line
from promptreid.gallery.gallery_errors import StoreFailedError, StoreInUseError
from promptreid.gallery.records.sql.sql_store import refuse_text

BUSY_SECONDS = 60
"""How long a writer waits for another."""

GONE = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
)
"""What a server that stops, or is not ready yet, answers."""

_FAILURES = {
    (errors.QueryCanceled,): "was not changed, since its server broke off: {told}. Try again.",
    (errors.DiskFull, errors.OutOfMemory, errors.TooManyConnections): (
        "was not changed, since its server has no room: {told}."
    ),
    (errors.ReadOnlySqlTransaction,): (
        "cannot be written, since its server is a standby or set to read only."
    ),
    (errors.InsufficientPrivilege,): "cannot be used as asked: {told}. Give the user this right.",
    (errors.DataCorrupted, errors.IndexCorrupted): (
        "cannot be read: {told}. It is damaged; take it from a backup."
    ),
    (errors.UndefinedTable, errors.InvalidSchemaName): (
        "is not there any more: {told}. Somebody has dropped it."
    ),
}
_OURS = (psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.InternalError)


@contextlib.contextmanager
def told_in_words(place: str) -> Generator[None]:
    """Turn errors that a user can mend into sentences.

    Raises:
        StoreInUseError: Another process writes for too long.
        StoreFailedError: The server is gone, full, read-only or damaged, or does not allow what was
            asked for.
        GalleryError: It cannot keep what it was given.
    """
    try:
        yield
    except psycopg.Error as error:
        sentence = _find_sentence(error, place)
        if sentence is None:
            raise  # a mistake of ours
        raise sentence from error
    except UnicodeEncodeError as error:
        raise refuse_text(place, error) from error


def is_gone(error: psycopg.Error) -> bool:
    """Tell whether an error says that the connection is lost, rather than that a statement fails.

    Errors of a connection itself carry no code of PostgreSQL.
    """
    return isinstance(error, GONE) or (
        isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    )


def _find_sentence(error: psycopg.Error, place: str) -> GalleryError | None:
    told = first_line(error)
    if is_gone(error):
        return StoreFailedError(
            f"The server of {place} cannot be reached: {told}. Nothing was changed; try again when "
            "it is back."
        )
    if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected):
        return StoreInUseError(
            f"{place} is in use by another process that has been writing for more than "
            f"{BUSY_SECONDS} s. Nothing was changed; try again when it is done."
        )
    for kinds, words in _FAILURES.items():
        if isinstance(error, kinds):
            return StoreFailedError(f"{place} {words.format(told=told)}")
    if isinstance(error, psycopg.DataError | errors.ProgramLimitExceeded):
        return GalleryError(f"{place} cannot keep what it was given: {told}. Nothing was changed.")
    if isinstance(error, _OURS):
        return None
    return StoreFailedError(f"{place} cannot be used: {told}.")
