"""Folders that appear whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from promptreid.errors import RunError


@contextmanager
def fresh_folder(out: Path) -> Generator[Path]:
    """Fill a temporary folder beside `out`, and rename it to `out` when all went well.

    Args:
        out: The folder to make; parents are made too.

    Yields:
        The temporary folder; it is removed when the block fails.

    Raises:
        RunError: `out` is a file or is not empty, or the disk refuses.
    """
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file, but a folder is to be written there. Name another one.")
    if out.is_dir() and any(out.iterdir()):
        raise RunError(
            f"{out} is not empty, and nothing in it is overwritten. Name another folder."
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise RunError(f"{out} cannot be made: {error.strerror or error}.") from error
    try:
        yield folder
        # Temporary folders are private by default; the finished one is an ordinary folder.
        folder.chmod(0o755)
        if out.is_dir():
            out.rmdir()
        folder.rename(out)
    except OSError as error:
        raise RunError(f"{out} cannot be written: {error.strerror or error}.") from error
    finally:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
