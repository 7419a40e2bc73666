"""Only ordinary files are opened: never a named pipe, which waits for ever, nor a device."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from promptreid.errors import DataError

_KINDS = (
    (stat.S_ISDIR, "it is a directory"),
    (stat.S_ISFIFO, "it is a named pipe, not a file"),
    (stat.S_ISSOCK, "it is a socket, not a file"),
    (stat.S_ISCHR, "it is a device, not a file"),
    (stat.S_ISBLK, "it is a device, not a file"),
)
_MEBIBYTE = 1 << 20
_PIECE = 1 << 20


def explain_irregular(path: Path) -> str:
    """Say why there is no ordinary file at a path; empty when there is one.

    The path is looked up, links included, and nothing is opened.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return _missing(path)
    except OSError as error:
        return error.strerror or str(error)
    except ValueError:  # a NUL character
        return "its name cannot be that of a file"
    if stat.S_ISREG(mode):
        return ""
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "it is no ordinary file")


def read_regular(path: Path, *, limit: int) -> bytes:
    """Read all bytes of an ordinary file.

    Args:
        path: The file to read.
        limit: Most bytes that it may have.

    Raises:
        DataError: There is no ordinary file, it is too large, or it cannot be read; the message is
            the reason alone.
    """
    reason = explain_irregular(path)
    if reason:
        raise DataError(reason)
    try:
        # A pipe that took the file's place in this moment is not waited for.
        descriptor = os.open(path, os.O_RDONLY | _flag("O_NONBLOCK") | _flag("O_BINARY"))
        try:
            return _read_all(descriptor, limit)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DataError(error.strerror or str(error)) from error


def _read_all(descriptor: int, limit: int) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise DataError("it is no ordinary file")
    if status.st_size > limit:
        raise DataError(_too_large(status.st_size, limit))
    # One byte more than there should be tells that the file ends there.
    data = os.read(descriptor, status.st_size + 1)
    while len(data) != status.st_size and len(data) <= limit:  # it grew, or says no size
        more = os.read(descriptor, _PIECE)
        if not more:
            return data
        data += more
    if len(data) > limit:
        raise DataError(_too_large(len(data), limit))
    return data


def _flag(name: str) -> int:
    """Return a flag of `os.open` that not every platform has."""
    return getattr(os, name, 0)


def _missing(path: Path) -> str:
    try:
        target = path.readlink()
    except OSError:
        return "there is no such file"
    return f"it is a link to {target}, which is not there"


def _too_large(size: int, limit: int) -> str:
    return (
        f"it has at least {size // _MEBIBYTE:,} MiB, and no more than {limit // _MEBIBYTE:,} MiB "
        "are read"
    )
