"""Images that a list names: which of them exist, and under which spelling."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from promptreid.data.folders.listing import list_folder
from promptreid.data.manifest.manifest import Sample
from promptreid.errors import DataError
from promptreid.text.lists import counted, shorten_list


def keep_existing(
    samples: Sequence[Sample], root: Path, *, missing: str, listed_in: str
) -> tuple[list[Sample], tuple[str, ...]]:
    """Keep the samples whose image exists; as `find_listed`.

    Args:
        samples: Rows of a list.
        root: Folder that their paths start from.
        missing: "stop" or "skip".
        listed_in: Name of the list, for messages.

    Returns:
        The samples that exist, with paths as the disk spells them, and notes.

    Raises:
        DataError: The same as for `find_listed`.
    """
    paths = [sample.path for sample in samples]
    existing, notes = find_listed(paths, root, missing=missing, listed_in=listed_in)
    return [replace(samples[row], path=path) for row, path in existing], notes


def find_listed(
    paths: Sequence[str], root: Path, *, missing: str, listed_in: str
) -> tuple[list[tuple[int, str]], tuple[str, ...]]:
    """Find the images of a list; each folder is listed once, no image is opened.

    A name that the disk spells in other letter case or in another Unicode form stands for that
    file, where there is just one. So a list made on one system can be read on another.

    Args:
        paths: POSIX paths, relative to `root` or absolute.
        root: Folder that they start from.
        missing: "stop" or "skip".
        listed_in: Name of the list, for messages.

    Returns:
        Row and path, as the disk spells it, of each image that exists; and notes on those that were
        skipped and those that are spelled otherwise.

    Raises:
        DataError: When images are missing and `missing` is "stop", or when none exists.
    """
    folders = _Folders(root)
    existing: list[tuple[int, str]] = []
    gone: list[str] = []
    respelled: list[tuple[str, str]] = []
    several: list[str] = []
    for row, path in enumerate(paths):
        matches = folders.find(path)
        if len(matches) == 1:
            existing.append((row, matches[0]))
            if matches[0] != path:
                respelled.append((path, matches[0]))
        else:
            gone.append(path)
            if matches:
                several.append(path)
    notes = (_note_respelled(respelled, len(paths), listed_in),) if respelled else ()
    if not gone:
        return existing, notes
    absent = f"{len(gone):,} of {len(paths):,} images listed in {listed_in} are not in {root}"
    alike = ""
    if several:
        alike = (
            f" For {len(several):,} of them there are several files whose names differ in letter "
            f"case or Unicode form alone: {shorten_list(several)}; write the name as the file has "
            "it."
        )
    if missing == "stop" or not existing:
        hint = "" if not existing else " Add the option missing=skip to use only those that exist."
        raise DataError(f"{absent}: {shorten_list(gone)}.{alike}{hint}")
    return existing, (f"{absent} and were skipped: {shorten_list(gone)}.{alike}", *notes)


def note_unlisted(paths: Iterable[str], root: Path, *, listed_in: str) -> tuple[str, ...]:
    """Count the images beside those of a list that it does not name; no image is opened.

    Args:
        paths: All that the list names, as POSIX paths, in any spelling.
        root: Folder that they start from.
        listed_in: Name of the list.
    """
    listed: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        listed.setdefault(folder, set()).add(_fold(name))
    unlisted = [
        _join(folder, name)
        for folder, names in listed.items()
        if (root / folder).is_dir()
        for name in list_folder(root / folder).images
        if _fold(name) not in names
    ]
    if not unlisted:
        return ()
    images = counted(len(unlisted), "image in these folders is", "images in these folders are")
    return (f"{images} not listed in {listed_in} and not used: {shorten_list(unlisted)}.",)


class _Folders:
    """Names in the folders below a root, each listed once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = cache(self._find_folder)
        self._names = cache(self._list_names)
        self._folded = cache(self._fold_names)

    def find(self, path: str) -> list[str]:
        """Return the path as the disk spells it: that of one file, of several alike, or none."""
        parent, slash, name = path.rpartition("/")
        folder = self._folder(parent or slash)
        if folder is None:
            return []
        if name in (self._names(folder) or ()):
            return [_join(folder, name)]
        return [_join(folder, alike) for alike in self._folded(folder).get(_fold(name), ())]

    def _find_folder(self, path: str) -> str | None:
        """Return a folder as the disk spells it; None when there is none, or several."""
        if self._names(path) is not None:
            return path
        matches = self.find(path) if path not in ("", "/") else []
        return matches[0] if len(matches) == 1 and self._names(matches[0]) is not None else None

    def _list_names(self, folder: str) -> frozenset[str] | None:
        try:
            with os.scandir(self._root / folder) as entries:
                return frozenset(entry.name for entry in entries)
        except (OSError, ValueError):  # absent, or a name that no file can have
            return None

    def _fold_names(self, folder: str) -> dict[str, list[str]]:
        alike: dict[str, list[str]] = {}
        for name in sorted(self._names(folder) or ()):
            alike.setdefault(_fold(name), []).append(name)
        return alike


def _fold(name: str) -> str:
    """Give names that differ in letter case or Unicode form alone the same text."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if folder else name


def _note_respelled(pairs: Sequence[tuple[str, str]], count: int, listed_in: str) -> str:
    kinds = Counter(_difference(*pair) for pair in pairs)
    listed, exact = pairs[0]
    how = ", ".join(f"{number:,} in {kind}" for kind, number in kinds.items())
    return (
        f"{len(pairs):,} of {count:,} images listed in {listed_in} have another spelling on the "
        f"disk ({how}) and are taken for these files: {listed} is {exact}."
    )


def _difference(listed: str, exact: str) -> str:
    same_form = unicodedata.normalize("NFC", listed) == unicodedata.normalize("NFC", exact)
    return "Unicode form" if same_form else "letter case"
