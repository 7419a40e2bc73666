"""Folder names of a sweep's runs: readable, safe on every file system, stable when it grows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptreid.text.names import short_keys

_LONGEST_VALUE, _LONGEST_NAME = 40, 120
_UNSAFE = re.compile(r"[^A-Za-z0-9.+]+")


def cell_name(cell: Mapping[str, Any]) -> str:
    """Name one cell of a grid, such as `lr-0.001_size-256-128`; empty for an empty cell."""
    short = short_keys(cell)
    return "_".join(
        f"{short[key].removesuffix('.name')}-{value_name(value)}" for key, value in cell.items()
    )


def value_name(value: Any) -> str:
    """Write a value in letters, digits, dots, pluses and hyphens; long ones end in a hash."""
    text = _UNSAFE.sub("-", _plain(value)).strip("-.") or "empty"
    if len(text) > _LONGEST_VALUE:
        text = f"{text[: _LONGEST_VALUE - 7]}-{_digest(repr(value))}"
    return text


def distinct_names(names: Sequence[str], identities: Sequence[str]) -> list[str]:
    """Make names that differ beyond the case of letters, and are not too long for a file system.

    The first of several equal names stays as it is, so that values added to the end of a grid do
    not rename the runs that are there.

    Args:
        names: Names as they are.
        identities: What each stands for, all distinct; hashed to tell equal names apart.

    Returns:
        One name each, in order.
    """
    seen: set[str] = set()
    distinct = []
    for name, identity in zip(names, identities, strict=True):
        if len(name) > _LONGEST_NAME:
            name = f"{name[:_LONGEST_NAME].rstrip('-._')}-{_digest(identity)}"
        if name.lower() in seen:
            name = f"{name}-{_digest(identity)}"
        seen.add(name.lower())
        distinct.append(name)
    return distinct


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "-".join(f"{key}-{_plain(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return "-".join(_plain(item) for item in value)
    text = str(value)
    return f"0{text}" if text[:1] == "." and text[1:2].isdigit() else text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
