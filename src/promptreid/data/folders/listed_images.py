"""Images that a list names: which of them exist, and under which spelling."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
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
    found, notes = find_listed(paths, root, missing=missing, listed_in=listed_in)
    return [replace(samples[row], path=path) for row, path in found], notes


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
        exact = folders.find(path)
        if exact is None:
            gone.append(path)
            if folders.several(path):
                several.append(path)
            continue
        existing.append((row, exact))
        if exact != path:
            respelled.append((path, exact))
    notes = (_respelled(respelled, len(paths), listed_in),) if respelled else ()
    if not gone:
        return existing, notes
    told = f"{len(gone):,} of {len(paths):,} images listed in {listed_in} are not in {root}"
    alike = ""
    if several:
        alike = (
            f" For {len(several):,} of them there are several files whose names differ in letter "
            f"case or Unicode form alone: {shorten_list(several)}; write the name as the file has "
            "it."
        )
    if missing == "stop" or not existing:
        hint = "" if not existing else " Add the option missing=skip to use only those that exist."
        raise DataError(f"{told}: {shorten_list(gone)}.{alike}{hint}")
    return existing, (f"{told} and were skipped: {shorten_list(gone)}.{alike}", *notes)


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
    found = [
        _join(folder, name)
        for folder, names in listed.items()
        if (root / folder).is_dir()
        for name in list_folder(root / folder).images
        if _fold(name) not in names
    ]
    if not found:
        return ()
    told = counted(len(found), "image in these folders is", "images in these folders are")
    return (f"{told} not listed in {listed_in} and not used: {shorten_list(found)}.",)


@dataclass
class _Folders:
    """Names in the folders below a root, each listed once.

    Attributes:
        root: Where relative paths start.
    """

    root: Path
    _listings: dict[str, frozenset[str] | None] = field(default_factory=dict)
    _alike: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    _spelled: dict[str, str | None] = field(default_factory=dict)

    def find(self, path: str) -> str | None:
        """Return the path as the disk spells it, or None when no such file or several exist."""
        parent, slash, name = path.rpartition("/")
        folder = self._folder(parent or slash)
        if folder is None:
            return None
        match = self._match(folder, name)
        return None if match is None else _join(folder, match)

    def several(self, path: str) -> bool:
        """Say whether more than one file has this name in another spelling."""
        parent, slash, name = path.rpartition("/")
        folder = self._folder(parent or slash)
        return folder is not None and len(self._folded(folder).get(_fold(name), ())) > 1

    def _folder(self, path: str) -> str | None:
        """Return a folder as the disk spells it; None when there is none."""
        if path not in self._spelled:
            self._spelled[path] = self._look_up(path)
        return self._spelled[path]

    def _look_up(self, path: str) -> str | None:
        if self._names(path) is not None:
            return path
        if path in ("", "/"):
            return None
        parent, slash, name = path.rpartition("/")
        above = self._folder(parent or slash)
        match = None if above is None else self._match(above, name)
        if above is None or match is None or self._names(_join(above, match)) is None:
            return None
        return _join(above, match)

    def _match(self, folder: str, name: str) -> str | None:
        """Return the name in a folder that is this one, or the only one that is alike."""
        if name in (self._names(folder) or ()):
            return name
        alike = self._folded(folder).get(_fold(name), ())
        return alike[0] if len(alike) == 1 else None

    def _names(self, folder: str) -> frozenset[str] | None:
        if folder not in self._listings:
            try:
                with os.scandir(self.root / folder) as entries:
                    self._listings[folder] = frozenset(entry.name for entry in entries)
            except (OSError, ValueError):  # absent, or a name that no file can have
                self._listings[folder] = None
        return self._listings[folder]

    def _folded(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._alike:
            alike: dict[str, list[str]] = {}
            for name in sorted(self._names(folder) or ()):
                alike.setdefault(_fold(name), []).append(name)
            self._alike[folder] = alike
        return self._alike[folder]


def _fold(name: str) -> str:
    """Give names that differ in letter case or Unicode form alone the same text."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if folder else name


def _respelled(pairs: Sequence[tuple[str, str]], count: int, listed_in: str) -> str:
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
