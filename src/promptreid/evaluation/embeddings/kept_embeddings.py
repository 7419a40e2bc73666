"""The folder of embeddings that can be made again, and how much of the disk they may take.

Nothing here imports torch, so that what is kept is shown at once.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from promptreid.files import remove_least_used, user_cache

LIMIT = 4 << 30
"""Bytes that embeddings may take in the user's folder; those not used for longest give way."""

_NAME = re.compile(r"[0-9a-f]{32}\.safetensors")


def default_embedding_cache() -> Path:
    """Return the user's folder of embeddings."""
    return user_cache("embeddings")


def choose_embedding_cache(cache: str | os.PathLike[str] | None, *, no_cache: bool) -> Path | None:
    """Return the folder of embeddings that was asked for, the user's by default; None for none."""
    if no_cache:
        return None
    return default_embedding_cache() if cache is None else Path(cache)


def count_embeddings(folder: Path) -> int:
    """Return the bytes that the embeddings in a folder take."""
    return sum(_size(file) for file in _list_files(folder))


def clear_embeddings(folder: Path) -> int:
    """Remove all embeddings in a folder, and no other file.

    Returns:
        The bytes that were freed.
    """
    return sum(_remove(file) for file in _list_files(folder))


def note_use(file: Path) -> None:
    """Note that embeddings were read now, so that others give way first."""
    with contextlib.suppress(OSError):
        os.utime(file)


def make_room(folder: Path, *, spare: Path) -> None:
    """Remove embeddings that were not used for longest until all take no more than `LIMIT`.

    Args:
        folder: The folder.
        spare: The file in use, which stays.
    """
    files = _list_files(folder)
    excess = sum(map(_size, files)) - LIMIT
    remove_least_used([file for file in files if file != spare], excess, _remove)


def _list_files(folder: Path) -> list[Path]:
    try:
        return [file for file in folder.iterdir() if _NAME.fullmatch(file.name)]
    except OSError:  # there is no such folder
        return []


def _size(file: Path) -> int:
    with contextlib.suppress(OSError):
        return file.stat().st_size
    return 0


def _remove(file: Path) -> int:
    size = _size(file)
    with contextlib.suppress(OSError):
        file.unlink()
        return size
    return 0
