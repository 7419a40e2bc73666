"""Deep merging of YAML trees; lists of named items are merged by name."""

from __future__ import annotations

from typing import Any, TypeGuard

from promptreid.config.reading.numbers import read_number


def is_named_list(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Tell whether a value is a non-empty list of mappings that all have a text as `name`."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in value)
    )


def is_number(value: Any) -> bool:
    """Tell whether a value is a number in any spelling."""
    return read_number(value) is not None


def merge(base: Any, child: Any) -> Any:
    """Lay `child` over `base`: mappings merge by key, named lists by name, all else is replaced.

    A number stands for a mapping with only a weight where the other side is such a mapping, so that
    changing a loss's option keeps its weight and changing its weight keeps its options.
    """
    if is_number(base) and isinstance(child, dict):
        base = {"weight": base}
    if isinstance(base, dict) and "weight" in base and is_number(child):
        child = {"weight": child}
    if isinstance(base, dict) and isinstance(child, dict):
        merged = dict(base)
        for key, value in child.items():
            merged[key] = merge(base[key], value) if key in base else value
        return merged
    if is_named_list(base) and is_named_list(child):
        extra = {item["name"]: item for item in child}
        merged_items = [merge(item, extra.pop(item["name"], {})) for item in base]
        return merged_items + list(extra.values())
    return child
