"""The dotted keys of a recipe: their names and types, and what was meant by another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from promptreid.config.reading.synonyms import ELSEWHERE, KEYS
from promptreid.text.suggest import closest, did_you_mean, plain

_SURE, _LIKELY = 0.75, 0.6
_MOST = 3
_LISTED = 8


def nested_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model within a type, such as that of an optional part or of a list of stages."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(nested_model, get_args(annotation))), None)


def annotation_at(schema: Any, path: Sequence[str]) -> Any:
    """Return the type of a key, None where there is no such key.

    Args:
        schema: Model of the whole.
        path: Parts of the dotted key; an item of a list of models goes by its name.
    """
    node = schema
    for part in path:
        model = nested_model(node)
        if _is_list(node):
            node = model  # any name of an item
        elif model is not None:
            if part not in model.model_fields:
                return None
            node = model.model_fields[part].annotation
        elif get_origin(node) is dict:
            node = get_args(node)[1]
        else:
            return None
    return node


def known_keys(schema: type[BaseModel], tree: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """List the dotted keys of what a recipe uses, and all keys; later stages come first.

    Args:
        schema: Model of the whole.
        tree: The recipe's values, which name its stages and losses.
    """
    ordered = sorted(_keys(schema, tree, ""), key=lambda pair: pair[1])
    return [key for key, (unused, _) in ordered if not unused], [key for key, _ in ordered]


def meaning(path: Sequence[str], schema: type[BaseModel], tree: Mapping[str, Any]) -> str:
    """Say what an unknown key, in parts, may have meant; the sentence comes after a space."""
    if "stages" not in schema.model_fields:
        return _sibling(path, schema)
    name = ".".join(path)
    known = len(path) == 1 and (plain(name) in KEYS or plain(name) in ELSEWHERE)
    sure = "" if known else _repaired(path, schema, tree, _SURE)
    if sure:
        return did_you_mean([sure])
    used, keys = known_keys(schema, tree)
    inside = f"{'.'.join(path[:-1])}."
    near = [[key for key in pool if key.startswith(inside)] for pool in (used, keys)]
    for pool in (*near, used, keys):
        meant = _meant(name, path, pool)
        if meant:
            return did_you_mean(meant)
    for word in (name, path[-1]):
        if plain(word) in ELSEWHERE:
            return f" {ELSEWHERE[plain(word)]}"
    alike = _alike(path[-1], used) or _alike(path[-1], keys)
    if alike:
        return did_you_mean(alike)
    likely = _repaired(path, schema, tree, _LIKELY)
    if likely:
        return did_you_mean([likely])
    model = nested_model(annotation_at(schema, path[:-1])) if len(path) > 1 else None
    if model is not None and len(model.model_fields) <= _LISTED:
        return _sibling(path, schema)
    return " `promptreid recipes show NAME` prints all keys of a recipe."


def keys_meant(name: str, schema: type[BaseModel], tree: Mapping[str, Any]) -> list[str]:
    """List the full keys that a short name may stand for in a recipe, among those it uses.

    Args:
        name: The last part of a key, such as "epochs", or a word of other code for it.
        schema: Model of the whole.
        tree: The recipe's values, which name its stages and losses.
    """
    if annotation_at(schema, [name]) is not None:
        return [name]
    used, keys = known_keys(schema, tree)
    return _meant(name, [name], used) or _meant(name, [name], keys)


def _sibling(path: Sequence[str], schema: type[BaseModel]) -> str:
    model = nested_model(annotation_at(schema, path[:-1]))
    names = list(model.model_fields) if model is not None else []
    near = closest(path[-1], names, cutoff=_LIKELY, most=1)
    return did_you_mean(near) or f" Known keys here: {', '.join(names)}."


def unknown_item(path: Sequence[str], names: Sequence[str]) -> str:
    """Say that a list has no item of the name that a path ends in; `names` are those it has."""
    where, got = ".".join(path[:-1]), path[-1]
    hint = did_you_mean(closest(got, names, cutoff=_LIKELY))
    return f"{where} has no item named {got!r}; it has {', '.join(names) or 'none'}.{hint}"


def _meant(name: str, path: Sequence[str], keys: Sequence[str]) -> list[str]:
    ends = [key for key in keys if len(path) > 1 and key.endswith(f".{name}")]
    patterns = KEYS.get(plain(name)) or KEYS.get(plain(path[-1])) or ()
    for pattern in patterns:
        ends += [key for key in keys if key == pattern or key.endswith(f".{pattern}")][:_MOST]
    if not patterns:
        ends += [key for key in keys if key.rpartition(".")[2] == path[-1]]
    return list(dict.fromkeys(ends))[:_MOST]


def _alike(name: str, keys: Sequence[str]) -> list[str]:
    lasts = closest(name, dict.fromkeys(key.rpartition(".")[2] for key in keys), cutoff=_SURE)
    return [key for last in lasts for key in keys if key.rpartition(".")[2] == last][:_MOST]


def _repaired(
    path: Sequence[str], schema: type[BaseModel], tree: Mapping[str, Any], cutoff: float
) -> str:
    """Replace each unknown part by one that is spelled alike; "" where there is none."""
    node: Any = schema
    values: Any = tree
    right: list[str] = []
    for part in path:
        model = nested_model(node)
        if _is_list(node):
            names = _item_names(values)
            values = next((item for item in values or () if _name(item) == part), None)
            node = model
        elif model is not None:
            names = list(model.model_fields)
        else:
            names = [part]
        if part not in names:
            part = next(iter(closest(part, names, cutoff=cutoff, most=1)), "")
        if not part:
            return ""
        right.append(part)
        if model is not None and part in model.model_fields:
            node = model.model_fields[part].annotation
            values = values.get(part) if isinstance(values, Mapping) else None
    return ".".join(right)


def _keys(node: Any, values: Any, path: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield keys with their order: parts in use before others, later stages before earlier."""
    model = nested_model(node)
    if model is None:
        yield path, (0, 0)
        return
    if _is_list(node):
        items = _items(values)
        for place, item in enumerate(items):
            for key, (unused, _) in _keys(model, item, f"{path}.{_name(item)}"):
                yield key, (unused, len(items) - place)
        return
    if path:
        yield path, (0, 0)
    for name, field in model.model_fields.items():
        value = values.get(name) if isinstance(values, Mapping) else None
        optional = nested_model(field.annotation) is not None or field.default is None
        missing = int(value is None and optional)
        inner = f"{path}.{name}" if path else name
        for key, (unused, place) in _keys(field.annotation, value, inner):
            yield key, (max(unused, missing), place)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in (tuple, list) and nested_model(annotation) is not None


def _items(values: Any) -> list[Mapping[str, Any]]:
    """Give the items of a list of sections; whatever else a person wrote has none."""
    listed = values if isinstance(values, list | tuple) else ()
    return [item for item in listed if isinstance(item, Mapping)]


def _item_names(values: Any) -> list[str]:
    return [_name(item) for item in _items(values)]


def _name(item: Any) -> str:
    return str(item.get("name", "")) if isinstance(item, Mapping) else ""
