"""Dotted overrides `a.b.c=value` of a recipe's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from promptreid.config.reading.keys import annotation_at, meaning, unknown_item
from promptreid.config.reading.merge import is_number, merge
from promptreid.config.reading.typed_values import takes_text
from promptreid.config.reading.yaml_reader import YamlError, parse_yaml
from promptreid.errors import ConfigError
from promptreid.text.short import shortened

_LONGEST = 80


def apply_overrides(
    tree: dict[str, Any], texts: Sequence[str], schema: type[BaseModel]
) -> list[str]:
    """Set values of a recipe in place; return a sentence for each that cannot be set.

    Args:
        tree: The recipe's values.
        texts: `dotted.key=value`; stages are addressed by name.
        schema: Model of the whole, which knows the keys.
    """
    problems: list[str] = []
    for text in texts:
        try:
            path, value = parse_override(text, schema)
            if annotation_at(schema, path) is None:
                hint = meaning(path, schema, tree)
                problems.append(f"{'.'.join(path)}: unknown key.{hint}")
            else:
                apply_override(tree, path, value)
        except ConfigError as error:
            problems.append(str(error))
    return problems


def parse_override(text: str, schema: type[BaseModel] | None = None) -> tuple[list[str], Any]:
    """Read `a.b.c=value`; the value is YAML.

    Where a key takes text, whatever YAML does not read as a text, a list or null is text as it was
    typed: `prompt.template={context} a photo`, `source=2001`.

    Args:
        text: The override.
        schema: Model of the whole, which knows the keys that take text; None reads YAML only.

    Raises:
        ConfigError: There is no `=`, no key, or the value is not YAML.
    """
    key, equals, typed = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"Override {text!r} is not of the form key=value, such as stages.image.epochs=2."
        )
    path = key.strip().split(".")
    is_text = schema is not None and takes_text(annotation_at(schema, path))
    try:
        value = parse_yaml(typed)
    except YamlError as error:
        if is_text:
            return path, typed.strip()
        shown = shortened(text, _LONGEST)
        raise ConfigError(f"The value of override {shown!r} is not valid YAML: {error}.") from None
    values = value if isinstance(value, list) else [value]
    if is_text and value is not None and not all(isinstance(item, str) for item in values):
        return path, typed.strip()
    return path, value


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
                raise ConfigError(unknown_item(path[: depth + 1], names))
            position = names.index(part)
            if last:
                node[position] = value
            node = node[position]
        elif isinstance(node, dict):
            before = node.get(part)
            if last:
                node[part] = merge(before, value) if is_number(value) else value
            else:
                if is_number(before):
                    node[part] = {"weight": before}
                elif not isinstance(before, (dict, list)):
                    node[part] = {}
                node = node[part]
        else:
            raise ConfigError(
                f"{'.'.join(path[:depth])} is a plain value and has no part {part!r}."
            )
