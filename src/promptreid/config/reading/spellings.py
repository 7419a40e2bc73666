"""Values in any usual spelling, read as the one that a recipe records."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from promptreid.config.reading.synonyms import VALUES
from promptreid.text.suggest import closest, did_you_mean, plain


def spelled(value: str, allowed: Sequence[str]) -> str:
    """Read a word as one of those that are allowed.

    Args:
        value: The text as it was typed.
        allowed: Words that a recipe records.

    Returns:
        The one word with the same letters and digits, or that a word of other code stands for; the
        value itself where there is none, or more than one.
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

    Args:
        value: The text as it was typed.

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
        "`open_clip.list_models()` is taken, and tiny"
    )


@cache
def backbone_names() -> tuple[str, ...]:
    """List the names of backbones without importing what builds them.

    Returns:
        `tiny` and those of OpenCLIP; nothing where OpenCLIP is not installed.
    """
    package = importlib.util.find_spec("open_clip")
    if package is None or package.origin is None:
        return ()
    files = (Path(package.origin).parent / "model_configs").glob("*.json")
    return ("tiny", *sorted(file.stem for file in files))


def renamed(tree: Any, model: Any, path: str = "") -> list[str]:
    """Say which values are recorded under another name than they were given.

    Args:
        tree: Values as they were given.
        model: The recipe they became.
        path: Dotted key of both.
    """
    if isinstance(tree, str) and isinstance(model, str):
        return [f"{path}: {tree!r} is recorded as {model!r}."] if tree != model else []
    if isinstance(tree, Mapping) and isinstance(model, BaseModel):
        pairs = [(name, tree[name], getattr(model, name)) for name in type(model).model_fields
                 if name in tree]  # fmt: skip
    elif isinstance(tree, (list, tuple)) and isinstance(model, tuple):
        stages = {part.name: part for part in model if isinstance(part, BaseModel)}
        if stages:
            pairs = [
                (item["name"], item, stages[item["name"]])
                for item in tree
                if isinstance(item, Mapping) and item.get("name") in stages
            ]
        else:
            pairs = [(str(n), *pair) for n, pair in enumerate(zip(tree, model, strict=False))]
    else:
        return []
    return [
        note
        for name, given, now in pairs
        for note in renamed(given, now, f"{path}.{name}" if path else str(name))
    ]
