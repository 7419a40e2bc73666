"""A file of annotations that a user named: it has to be one."""

from __future__ import annotations

from pathlib import Path

from promptreid.data.images.regular_files import explain_irregular
from promptreid.errors import DataError
from promptreid.text.lists import shorten_list


def check_annotation_file(file: Path, *, wanted: str, ending: str) -> None:
    """Raise `DataError` unless there is an ordinary file; of a folder its files are named.

    Args:
        file: What the user named.
        wanted: What it should be, for the message ("a COCO file").
        ending: How names of such files end (".json").
    """
    reason = explain_irregular(file)
    if not reason:
        return
    inside = sorted(
        path.relative_to(file).as_posix()
        for pattern in (f"*{ending}", f"*/*{ending}")
        for path in (file.glob(pattern) if file.is_dir() else ())
    )
    way = f" Name one of its files: {shorten_list(inside)}." if inside else ""
    raise DataError(f"{file} cannot be read as {wanted}: {reason}.{way}")
