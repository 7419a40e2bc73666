"""Temporary files and folders that killed processes leave, and their removal."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

_TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.tmp")


def name_beside(path: Path, ending: str) -> Path:
    """Name a temporary folder beside a run folder; the name says which process it is of."""
    return path.with_name(f".{path.name}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}.{ending}")


def remove_leftovers(run: Path, *, inside: Sequence[Path]) -> None:
    """Remove what processes that are dead have left of a run.

    Inside the run folder every temporary file goes, since only the process that holds the run
    writes there. Beside it those folders go whose process, on this machine, has ended.

    Args:
        run: The run folder, held by this process.
        inside: Folders of its files.
    """
    for folder in filter(Path.is_dir, inside):
        for entry in folder.iterdir():
            if _TEMPORARY.fullmatch(entry.name) and entry.is_file():
                entry.unlink(missing_ok=True)
    name, host = re.escape(run.name), re.escape(_host())
    folders = re.compile(rf"\.{name}\.{host}-(\d{{1,9}})-[0-9a-f]{{8}}\.(tmp|old)")
    for entry in run.absolute().parent.iterdir():
        named = folders.fullmatch(entry.name)
        if named and not _alive(int(named[1])):
            shutil.rmtree(entry, ignore_errors=True)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's process
        pass
    return True
