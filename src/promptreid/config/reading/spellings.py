"""Values in any usual spelling, read as the one that a recipe records."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from promptreid.config.reading.own_backbones import IMAGE_ONLY, TINY
from promptreid.config.reading.synonyms import VALUES
from promptreid.text.suggest import closest, did_you_mean, plain


def spelled(value: str, allowed: Sequence[str]) -> str:
    """Read a word as the one that is allowed and has the same letters and digits.

    Else it is the one that a word of other code stands for; the value itself where there is none,
    or more than one.
    """
    if value in allowed:
        return value
    alike = [word for word in allowed if plain(word) == plain(value)]
    synonym = VALUES.get(plain(value))
    if not alike and synonym in allowed:
        return str(synonym)
    return alike[0] if len(alike) == 1 else value


def backbone_name(value: Any) -> Any:
    """Read a backbone's name in any usual spelling: `vitb16`, `ViT-B/16`, `rn50`.

    Raises:
        ValueError: No backbone has that name.
    """
    if not isinstance(value, str) or not backbone_names():
        return value
    names = backbone_names()
    for text in (value, value.removesuffix("px")):
        if (name := spelled(text, names)) in names:
            return name
    hint = did_you_mean(closest(value, names))
    raise ValueError(
        f"there is no backbone named {value[:60]!r}.{hint} Every dual encoder of "
        f"`open_clip.list_models()` is taken, and {', '.join((TINY, *IMAGE_ONLY))}"
    )


@cache
def backbone_names() -> tuple[str, ...]:
    """List backbones without importing OpenCLIP; none where it is not installed."""
    package = importlib.util.find_spec("open_clip")
    if package is None or package.origin is None:
        return ()
    files = (Path(package.origin).parent / "model_configs").glob("*.json")
    return (TINY, *IMAGE_ONLY, *sorted(file.stem for file in files))


def renamed(tree: Any, model: Any, path: str = "") -> list[str]:
    """Say which values of a tree are recorded under another name by the recipe they became.

    Args:
        tree: Values as they were given.
        model: The recipe they became.
        path: Dotted key of both.
    """
    if isinstance(tree, str) and isinstance(model, str):
        return [f"{path}: {tree!r} is recorded as {model!r}."] if tree != model else []
    if isinstance(tree, Mapping) and isinstance(model, BaseModel):
        names = [name for name in type(model).model_fields if name in tree]
        pairs = [(name, tree[name], getattr(model, name)) for name in names]
    elif isinstance(tree, (list, tuple)) and isinstance(model, tuple):
        stages = {part.name: part for part in model if isinstance(part, BaseModel)}
        items = {item.get("name"): item for item in tree if isinstance(item, Mapping)}
        pairs = [(name, items[name], stage) for name, stage in stages.items() if name in items]
        if not stages:
            pairs = [(str(n), *pair) for n, pair in enumerate(zip(tree, model, strict=False))]
    else:
        return []
    return [
        note
        for name, value, recorded in pairs
        for note in renamed(value, recorded, f"{path}.{name}" if path else str(name))
    ]
