"""What readers of folders share: find the right folder, read lists."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from promptreid.data.images.regular_files import explain_irregular
from promptreid.data.manifest.manifest import Sample
from promptreid.errors import DataError
from promptreid.text.lists import shorten_list


def has_all(*names: str) -> Callable[[Path], bool]:
    """Return a test whether a folder contains all of these files or folders."""
    return lambda folder: all((folder / name).exists() for name in names)


def find_root(
    root: Path, fits: Callable[[Path], bool], *, wanted: str, nested: Sequence[str] = ()
) -> tuple[Path, tuple[str, ...]]:
    """Find the folder that holds a data set: the root itself, one level down, or one level up.

    Args:
        root: The folder that the user named.
        fits: Tells whether a folder has the layout.
        wanted: What was looked for, in words.
        nested: Relative paths where the published archives put the data, tried first.

    Returns:
        The folder, and a note when it is not `root` itself.

    Raises:
        DataError: When no folder or more than one fits; says what is there instead.
    """
    if not root.is_dir():
        reason = "is a file, not a folder" if root.is_file() else "does not exist"
        above = next((parent for parent in root.parents if parent.is_dir()), None)
        there = f" {above} holds {describe_contents(above)}." if above is not None else ""
        raise DataError(f"{root} {reason}; looked there for {wanted}.{there}")
    known = [root, *(root / name for name in nested)]
    home = next((folder for folder in known if _has(folder, fits)), None)
    if home is None:
        children = [folder for folder in subfolders(root) if _has(folder, fits)]
        if len(children) > 1:
            raise DataError(
                f"{root} holds several such data sets ({', '.join(c.name for c in children)}); "
                "name one of them."
            )
        above = [root.parent] if _has(root.parent, fits) else []
        home = next(iter([*children, *above]), None)
    if home is None:
        raise DataError(f"Looked in {root} for {wanted}, but it holds {describe_contents(root)}.")
    return home, () if home == root else (f"Read from {home}.",)


def _has(folder: Path, fits: Callable[[Path], bool]) -> bool:
    """Test a folder that may not exist; one that may not be opened has nothing to offer."""
    try:
        return folder.is_dir() and fits(folder)
    except (PermissionError, DataError):
        return False


def subfolders(folder: Path) -> list[Path]:
    """List the folders in a folder by name, hidden ones left out."""
    with os.scandir(folder) as entries:
        names = sorted(
            entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()
        )
    return [folder / name for name in names]


def describe_contents(folder: Path, *, limit: int = 8) -> str:
    """Say what is in a folder: the first entries by name."""
    try:
        names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in os.scandir(folder))
    except OSError as error:
        return f"nothing readable ({error.strerror})"
    return shorten_list(names, limit=limit) if names else "nothing"


def text_lines(file: Path) -> list[tuple[int, list[str]]]:
    """Read a list file: line number and words of every line that is not blank.

    Raises:
        DataError: When the file cannot be read.
    """
    reason = explain_irregular(file)
    if reason:
        raise DataError(f"{file} cannot be read: {reason}.")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}.") from error
    lines = enumerate(text.splitlines(), start=1)
    return [(number, words) for number, line in lines if (words := line.split())]


def note_empty_splits(samples: Iterable[Sample], splits: Iterable[str]) -> tuple[str, ...]:
    """Say which of the splits have no image."""
    filled = {sample.split for sample in samples}
    return tuple(f"Split {split!r} has no image." for split in splits if split not in filled)
