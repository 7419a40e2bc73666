"""Deep merging of YAML trees and dotted overrides; lists of named items are addressed by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from promptreid.config.numbers import number_of
from promptreid.config.yaml_reader import YamlError, parse_yaml
from promptreid.errors import ConfigError


def is_named_list(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Tell whether a value is a non-empty list of mappings that all have a `name`."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and "name" in item for item in value)
    )


def _is_number(value: Any) -> bool:
    return number_of(value) is not None


def merge(base: Any, child: Any) -> Any:
    """Lay `child` over `base`: mappings merge by key, named lists by name, all else is replaced.

    A number stands for a mapping with only a weight where the other side is such a mapping, so that
    changing a loss's option keeps its weight and changing its weight keeps its options.
    """
    if _is_number(base) and isinstance(child, dict):
        base = {"weight": base}
    if isinstance(base, dict) and "weight" in base and _is_number(child):
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


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def parse_override(text: str) -> tuple[list[str], Any]:
    """Read `a.b.c=value`; the value is YAML.

    Raises:
        ConfigError: There is no `=`, no key, or the value is not YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"Override {text!r} is not of the form key=value, such as stages.image.epochs=2."
        )
    try:
        parsed = parse_yaml(value)
    except YamlError as error:
        raise ConfigError(f"The value of override {text!r} is not valid YAML: {error}.") from None
    return key.strip().split("."), parsed


def apply_override(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a value in place; a segment picks a mapping key, or an item of a named list.

    Raises:
        ConfigError: A list has no item of that name, or a value has no parts.
    """
    node: Any = tree
    for depth, part in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(node, list):
            names = [str(item.get("name")) for item in node if isinstance(item, Mapping)]
            if part not in names:
                where = ".".join(path[:depth])
                raise ConfigError(
                    f"{where} has no item named {part!r}; it has {', '.join(names) or 'none'}."
                )
            position = names.index(part)
            if last:
                node[position] = value
            node = node[position]
        elif isinstance(node, dict):
            if last:
                shorthand = _is_number(value) and "weight" in _mapping(node.get(part))
                node[part] = merge(node[part], value) if shorthand else value
            else:
                if _is_number(node.get(part)):
                    node[part] = {"weight": node[part]}
                elif not isinstance(node.get(part), (dict, list)):
                    node[part] = {}
                node = node[part]
        else:
            raise ConfigError(
                f"{'.'.join(path[:depth])} is a plain value and has no part {part!r}."
            )
