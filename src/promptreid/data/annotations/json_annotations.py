"""JSON files of annotation tools, and what must be in them, checked with its place named."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptreid.data.annotations.annotation_file import check_annotation_file
from promptreid.data.tables.table_messages import quote_cell
from promptreid.errors import DataError
from promptreid.text.number_words import read_whole

_LARGEST = 1e9  # more pixels than any picture has; JSON holds whole numbers of any length


def read_json_file(file: Path, *, wanted: str) -> Any:
    """Read a JSON file.

    Args:
        file: The file.
        wanted: What it should be, for messages ("a COCO file").

    Raises:
        DataError: When it cannot be read or is no JSON; the line is named.
    """
    check_annotation_file(file, wanted=wanted, ending=".json")
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{file}, line {error.lineno}, column {error.colno}: this is no JSON ({error.msg}), so "
            f"no {wanted.removeprefix('a ')}."
        ) from error
    except (OSError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise DataError(f"{file} cannot be read as {wanted}: {error}.") from error


def entries(value: Any, *, place: str) -> list[Mapping[str, Any]]:
    """Return a list of objects; nothing counts as an empty one.

    Raises:
        DataError: When it is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise DataError(f"{place} is {_shown(value)}; it must be a list of objects.")
    for number, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise DataError(f"{place}[{number}] is {_shown(entry)}; it must be an object.")
    return value


def numbers(value: Any, count: int, *, place: str) -> Sequence[float]:
    """Return a list of numbers that may be places on a picture.

    Raises:
        DataError: When it is something else, or holds another count.
    """
    if isinstance(value, list) and len(value) == count and all(map(_is_number, value)):
        return value
    raise DataError(f"{place} is {_shown(value)}; it must be a list of {count} numbers.")


def text(value: Any) -> str:
    """Write a value of a file as a name: a whole number without a point, nothing as nothing."""
    if value is None or isinstance(value, (dict, list)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def read_id(value: Any) -> str | float | None:
    """Return what one entry names another by: a number or a text; None for everything else."""
    return value if isinstance(value, str | int | float) else None


def whole(value: Any) -> int | None:
    """Return a whole number, as a number or in digits; None for everything else."""
    words = text(value)
    number = read_whole(words.removeprefix("-")) if words.isascii() else None
    return None if number is None else -number if words.startswith("-") else number


def _is_number(value: object) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return abs(value) <= _LARGEST  # not so for what is no number


def _shown(value: object) -> str:
    return quote_cell(json.dumps(value)) if value is not None else "missing"
