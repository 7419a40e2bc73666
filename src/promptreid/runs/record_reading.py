"""Reading a file of a run: whatever is wrong with it becomes one sentence with a way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from promptreid.errors import RunError
from promptreid.json_record import first_problem, record_adapter
from promptreid.runs.file_names import METRICS, NOTE, SCORES, STATUS

Record = TypeVar("Record")

_AGAIN = "Put it back from a copy of the run, or train the run anew with --overwrite."
WAYS_OUT = {
    STATUS: "Remove it; promptreid train --resume --out {run} finds out what is left to do.",
    SCORES: "Remove it; promptreid train --resume --out {run} scores the run again.",
    NOTE: 'Remove it, or write another: promptreid note {run} "...".',
    METRICS: "Remove it; promptreid train --resume --out {run} writes it again.",
}
"""What mends a file, by its name; every other file has to come back from a copy."""


def find_way_out(path: Path) -> str:
    """Say what mends a file of a run that is missing or damaged."""
    return WAYS_OUT.get(path.name, _AGAIN).format(run=path.parent)


def read_content(path: Path) -> bytes:
    """Read a file of a run.

    Raises:
        RunError: It is missing, a folder, or unreadable.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{path} is missing. {find_way_out(path)}") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RunError(f"{path} cannot be read: {reason}. {find_way_out(path)}") from error


def parse_record(content: bytes, kind: type[Record], path: Path) -> Record:
    """Turn the JSON of a file into its record.

    Args:
        content: Content of the file.
        kind: What it must hold: a model, or a tuple of models.
        path: The file, for the message.

    Raises:
        RunError: It is not JSON, not UTF-8, or not such a record.
    """
    try:
        tree = json.loads(content.decode(), parse_constant=_refuse)
        return record_adapter(kind).validate_python(make_tuples(tree), strict=True)
    except (ValidationError, RecursionError, ValueError) as error:
        raise report_damage(path, describe_error(error)) from None


def report_damage(path: Path, reason: str) -> RunError:
    """Say that a file of a run is damaged."""
    return RunError(f"{path} is damaged: {reason}. {find_way_out(path)}")


def describe_error(error: Exception) -> str:
    """Say what keeps a JSON text from being a record: the first wrong key and why, in words."""
    if isinstance(error, ValidationError):
        return first_problem(error)
    return f"it is not JSON ({str(error)[:80]})"


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


def make_tuples(tree: Any) -> Any:
    """Turn the lists of a JSON tree into tuples, as records have them."""
    if isinstance(tree, list):
        return tuple(make_tuples(value) for value in tree)
    if isinstance(tree, dict):
        return {key: make_tuples(value) for key, value in tree.items()}
    return tree
