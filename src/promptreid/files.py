"""Writing files so that a killed process or a full disk leaves the old file or the new one."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

from promptreid.errors import ConfigError, DataError
from promptreid.text.lists import shorten_list
from promptreid.text.safe import encodable, visible


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Generator[Path]:
    """Yield a temporary path beside `path`; on success it takes `path`'s place in one step.

    The data reaches the disk before the name does, so that no crash leaves a half-written file. On
    failure the temporary file is removed and `path` is as it was.

    Args:
        path: The file.
        durable: Wait for the disk, which takes long for thousands of files. What is not waited for
            may be half written after a crash of the machine, though not of the process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _name_temporary(path)
    try:
        yield temporary
        if durable:
            _sync_file(temporary)
        temporary.replace(path)
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        if str(error.filename) == str(temporary):  # a name that nobody gave tells nobody anything
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def creating_folder(path: Path) -> Generator[Path]:
    """Yield a new temporary folder beside `path`; on success it takes that name in one step.

    On failure all that was written is removed. Of a killed process a folder stays whose name begins
    with a dot and ends in `.tmp`.

    Raises:
        DataError: There is something at `path` that is no empty folder.
    """
    path = full_path(path)
    if path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
        raise DataError(
            f"{path} exists already, holds {name_entries(path)}, and is not overwritten. Name a "
            "new folder."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _name_temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            path.rmdir()
        temporary.rename(path)
        _sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Generator[Path]:
    """Yield a fresh folder beside `path`; on success it takes `path`'s place.

    Whoever looks sees the old folder or the new one, or none for a moment. On failure the fresh
    folder is removed and `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = _name_temporary(path), _name_temporary(path)
    fresh.mkdir()
    try:
        yield fresh
        if path.exists():
            path.rename(old)
        fresh.rename(path)
        _sync_folder(path.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if old.exists() and not path.exists():
            old.rename(path)
        shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    r"""Write a text file in one step, as UTF-8 whatever the system prefers.

    Names of files need not be text. What UTF-8 cannot hold is written as `\uXXXX`, which JSON reads
    back as it was.
    """
    write_bytes(path, encodable(text).encode())


def create_text(path: Path, text: str) -> bool:
    """Write a text file in one step, unless there is one by then.

    Returns:
        Whether it was written. Of several processes that try at a time one writes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _name_temporary(path)
    try:
        temporary.write_bytes(encodable(text).encode())
        _sync_file(temporary)
        os.link(temporary, path)
        _sync_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file in one step; floats keep every digit."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def full_path(path: Path | str) -> Path:
    """Return a path in full: `~` is one's own folder, and `..` is resolved as the disk does it.

    Args:
        path: As a person wrote it.

    Raises:
        ConfigError: There is no user of the name behind `~`, or no file can have such a name.
    """
    if "\0" in str(path):
        raise ConfigError(f"{visible(str(path))} holds a zero byte, which no path can.")
    named, path = str(path), Path(path)
    try:
        path = path.expanduser() if named.startswith("~") else path
    except RuntimeError:
        home = path.parts[0]
        raise ConfigError(
            f"{visible(str(path))}: there is no user {home[1:]!r}, so {home} stands for no folder. "
            f"Write ./{home} for a folder of that name here."
        ) from None
    try:
        return path.resolve() if ".." in path.parts else path.absolute()
    except (OSError, RuntimeError) as error:  # a circle of links
        raise ConfigError(f"{visible(str(path))} leads nowhere: {error}.") from None


def user_cache(name: str) -> Path:
    """Return a folder for what can be made again: below `XDG_CACHE_HOME`, else below `~/.cache`.

    Raises:
        ConfigError: There is no home folder, as for a number that is no user of the system.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "promptreid" / name
    except RuntimeError:
        raise ConfigError(
            "This user has no home folder, in which what can be made again is kept. Name another "
            "folder for it in the environment: XDG_CACHE_HOME=/path/to/folder."
        ) from None


def read_last_use(path: Path) -> int:
    """Return when a file was written or touched last, in nanoseconds; 0 where it is gone."""
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


def remove_least_used(
    paths: Iterable[Path],
    excess: int,
    remove: Callable[[Path], int],
    read_use: Callable[[Path], int] = read_last_use,
) -> int:
    """Remove what was not used for longest until so many bytes are freed.

    Args:
        paths: What may go.
        excess: Bytes that are to be freed.
        remove: Removes one of them and returns the bytes that were freed.
        read_use: Returns when one was used last.

    Returns:
        The bytes that are left to be freed; 0 or less where it was enough.
    """
    for path in sorted(paths, key=read_use):
        if excess <= 0:
            break
        excess -= remove(path)
    return excess


def _name_temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _sync_file(path: Path) -> None:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    # Not every platform lets a folder be opened; the rename itself is atomic all the same.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def name_entries(folder: Path) -> str:
    """Name the first entries of a folder for a message, and say how many more there are.

    Args:
        folder: What was given; a file holds nothing.
    """
    if not folder.is_dir():
        return "nothing; it is a file"
    return shorten_list(sorted(entry.name for entry in folder.iterdir()), limit=5) or "nothing"
