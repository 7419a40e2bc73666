"""Where galleries of plain folders are kept, and how much of the disk they may take together."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from promptreid.errors import GalleryError
from promptreid.file_locks import take_lock
from promptreid.files import read_last_use, remove_least_used, user_cache
from promptreid.gallery.gallery_settings import GallerySettings
from promptreid.gallery.picture_folders.picture_log import LOG
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.progress import Progress

LIMIT = 4 << 30
"""Bytes that all galleries of plain folders may take; those not used for longest give way."""


def default_search_cache() -> Path:
    """Return the user's folder of galleries of plain folders."""
    return user_cache("searched")


def name_gallery(place: str, fingerprint: str) -> str:
    """Name the gallery of a place for the vectors of a model."""
    return hashlib.sha256(json.dumps([place, fingerprint]).encode()).hexdigest()[:32]


@contextlib.contextmanager
def hold_gallery(cache: Path, name: str, progress: Progress) -> Generator[None]:
    """Hold a gallery while it is brought up to date; wait for another process that does so.

    The system lets go of it when the process ends, however it ends.
    """
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (cache / f".{name}.held").open("ab") as handle:
        if not take_lock(handle.fileno()):
            with progress.doing("waiting for another process that reads the same pictures"):
                take_lock(handle.fileno(), math.inf)
        yield


def open_cached_records(cache: Path, name: str) -> SqliteRecords:
    """Open the records of a gallery, or make empty ones; damaged ones are made anew.

    They come into being in one step, so that no killed process leaves half of them.

    Raises:
        GalleryError: The cache cannot be written.
    """
    folder = cache / name
    if folder.exists():
        try:
            return SqliteRecords.open(folder)
        except GalleryError:
            shutil.rmtree(folder, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=cache))
    try:
        SqliteRecords.create(fresh, GallerySettings(keep="paths").to_texts()).close()
        with contextlib.suppress(OSError):  # another process was first: its records are as good
            fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return SqliteRecords.open(folder)


def make_room(cache: Path, *, spare: str, limit: int = LIMIT) -> list[str]:
    """Remove galleries that were not used for longest until all take no more than the limit.

    Those that other processes are bringing up to date stay.

    Args:
        cache: The folder of galleries.
        spare: Name of the one in use, which stays.
        limit: Bytes.

    Returns:
        Names of those removed.
    """
    folders = [one for one in cache.iterdir() if one.is_dir() and one.name[0] != "."]
    sizes = {folder: _count_bytes(folder) for folder in folders}
    removed: list[str] = []

    def remove(folder: Path) -> int:
        if not _remove_unless_held(cache, folder):
            return 0
        removed.append(folder.name)
        return sizes[folder]

    others = [folder for folder in folders if folder.name != spare]
    excess = sum(sizes.values()) - limit
    remove_least_used(others, excess, remove, lambda folder: read_last_use(folder / LOG))
    return removed


def count_cached(cache: Path) -> int:
    """Return the bytes that the galleries of plain folders take."""
    return _count_bytes(cache) if cache.is_dir() else 0


def clear_cached(cache: Path) -> int:
    """Remove all galleries of plain folders but those that are being read right now.

    Returns:
        The bytes that were freed.
    """
    before = count_cached(cache)
    for folder in list(cache.iterdir()) if cache.is_dir() else []:
        if folder.is_dir() and folder.name[0] != ".":
            _remove_unless_held(cache, folder)
    return before - count_cached(cache)


def _remove_unless_held(cache: Path, folder: Path) -> bool:
    """Remove a gallery unless a process is bringing it up to date right now; return whether."""
    with (cache / f".{folder.name}.held").open("ab") as handle:
        is_free = take_lock(handle.fileno())
        if is_free:
            shutil.rmtree(folder, ignore_errors=True)
    return is_free


def _count_bytes(folder: Path) -> int:
    size = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):
            size += file.stat().st_size
    return size
