"""Nested values as one flat table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flat_tree(tree: Any, path: str = "", *, separator: str = ".") -> dict[str, Any]:
    """Give each value of nested mappings a key of its own, joined from those on the way to it.

    Args:
        tree: Mappings, lists and values; a list of mappings is keyed by their `name` or position,
            a list of plain values is a value.
        path: Key of `tree` itself.
        separator: What joins the keys of a path; "." as in overrides on the command line.
    """
    if isinstance(tree, Mapping):
        items = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, (list, tuple)) and tree and isinstance(tree[0], Mapping):
        items = [(str(item.get("name", number)), item) for number, item in enumerate(tree)]
    else:
        return {path: tree}
    values: dict[str, Any] = {}
    for key, value in items:
        whole = f"{path}{separator}{key}" if path else key
        values |= flat_tree(value, whole, separator=separator)
    return values
