"""Recipes that take other paths through the library, for tests that train every kind of recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from promptreid.config.recipes import load_recipe, recipe_names

_REPLACED = {"name", "description", "source", "backbone", "validation", "hardware"}
"""Parts of a recipe that are words alone, or that tests put down to a small size."""


@cache
def distinct_recipes() -> list[str]:
    """List the first recipe of each kind: others of the kind differ by numbers and words alone.

    A number other than 0 and 1 is as good as any other; of words, what is filled in counts.
    `tests/test_defects.py` trains all recipes.
    """
    kinds: dict[object, str] = {}
    for name in recipe_names():
        recipe = load_recipe(name).model_dump(exclude=_REPLACED)
        kinds.setdefault((name.endswith("cnn"), describe_kind(recipe)), name)
    return list(kinds.values())


def describe_kind(value: object) -> object:
    """Return what is left of settings without their numbers and words."""
    if isinstance(value, Mapping):
        return tuple((key, describe_kind(part)) for key, part in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(describe_kind, value))
    if isinstance(value, str) and " " in value:
        return tuple(re.findall(r"{\w+}", value))
    if isinstance(value, int | float) and not isinstance(value, bool) and value not in (0, 1):
        return "number"
    return value
