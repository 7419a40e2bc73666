"""The place of a run folder: one process at a time holds it, and a run gets there in one step."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from promptreid.errors import RunError
from promptreid.file_locks import take_lock
from promptreid.files import name_entries
from promptreid.runs.file_names import LOCK, RECIPE
from promptreid.runs.leftovers import name_beside


def is_run(path: Path) -> bool:
    """Tell whether a folder is that of a run."""
    return (path / RECIPE).is_file()


@contextmanager
def hold_run(folder: Path) -> Generator[None]:
    """Hold an existing folder; the system lets go of it when the process ends, however it ends.

    Raises:
        RunError: Another process holds it.
    """
    with (folder / LOCK).open("a") as handle:
        if not take_lock(handle.fileno()):
            raise RunError(
                f"Another process is training into {folder}. Wait for it or stop it, or give "
                "another --out."
            )
        yield


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse an output folder that is not empty, unless it is a run and may be overwritten.

    Raises:
        RunError: With the ways out.
    """
    if path.exists() and not path.is_dir():
        raise RunError(f"--out {path} is a file; give a folder.")
    if not path.is_dir() or not any(path.iterdir()):
        return
    if overwrite and is_run(path):
        with hold_run(path):
            return
    entries = name_entries(path)
    if overwrite:
        raise RunError(
            f"{path} is not a run folder (it holds {entries}), so it is not overwritten."
        )
    ways = "--resume continues it, --overwrite replaces it, " if is_run(path) else ""
    raise RunError(
        f"The folder {path} is not empty (it holds {entries}); {ways}or give another --out."
    )


@contextmanager
def make_in_one_step(path: Path) -> Generator[Path]:
    """Give a fresh folder to fill, which then takes a place that is free or of a run it replaces.

    It leaves nothing if that fails.

    Raises:
        RunError: A process is training into the run that is there, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = name_beside(path, "tmp")
        fresh.mkdir()
        try:
            yield fresh
            _swap(fresh, path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise RunError(
            f"The run folder {path} cannot be written: {error.strerror or error}. "
            "Choose another place with --out."
        ) from error


def _swap(fresh: Path, path: Path) -> None:
    if not path.exists():
        fresh.rename(path)
        return
    old = name_beside(path, "old")
    with hold_run(path):  # an empty folder, or a run that no process trains into
        path.rename(old)
        fresh.rename(path)
    shutil.rmtree(old, ignore_errors=True)
