"""The settings of a recipe as one flat table, and what differs between several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from promptreid.config.losses import LossTerms
from promptreid.config.schema import Recipe

YES = "yes"
"""Value of a part that is there and has neither a weight nor a name."""

# What a recipe is called decides nothing about a run.
_WORDS = ("name", "description", "source")
_TITLES = ("weight", "name", "kind")


def flat_settings(recipe: Recipe) -> dict[str, Any]:
    """Lay a resolved recipe out by dotted key; stages and losses go by name.

    A part that a recipe may lack, such as a stage, a loss or an MLP, has an entry under its own
    key: its weight, name or kind where it has one, else `YES`. What is absent, None or switched off
    by a weight of zero has no entry. Values are plain, in the order of the recipe.
    """
    return dict(_entries(recipe, "", skip=_WORDS))


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the keys whose values are not the same in all flat settings, in the recipe's order.

    A part that only some have shows as its own entry. Entries within it count only where those that
    have the part differ among themselves, so that an added loss is one difference and not five.
    """
    keys = _all_keys(settings)
    known = set(keys)
    parts = [{part for key in one for part in parents(key)} for one in settings]
    differing_keys = []
    for key in keys:
        # Parts around this setting, of those that may be absent.
        around = [part for part in parents(key) if part in known]
        having = [place for place, there in enumerate(parts) if there.issuperset(around)]
        values = [settings[place].get(key) for place in having]
        if any(value != values[0] for value in values):
            differing_keys.append(key)
    return differing_keys


def changes(before: Recipe, after: Recipe) -> dict[str, tuple[Any, Any]]:
    """Give each setting that differs between two recipes, with both values, None for absent."""
    old, new = flat_settings(before), flat_settings(after)
    return {key: (old.get(key), new.get(key)) for key in differing([old, new])}


def _entries(
    model: BaseModel, path: str, *, skip: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any]]:
    fields, plain = type(model).model_fields, model.model_dump(mode="json")
    names = model.active() if isinstance(model, LossTerms) else fields
    for name in names:
        value = getattr(model, name)
        key = f"{path}.{name}" if path else name
        if value is None or name in skip:
            continue
        if isinstance(value, BaseModel):
            may_lack = fields[name].annotation is not type(value)
            yield from _part(value, key) if may_lack else _entries(value, key)
        elif isinstance(model, Recipe) and name == "stages":
            for stage in model.stages:
                yield f"{key}.{stage.name}", YES
                yield from _entries(stage, f"{key}.{stage.name}", skip=("name",))
        else:
            yield key, plain[name]


def _part(value: BaseModel, key: str) -> Iterator[tuple[str, Any]]:
    title = next((name for name in _TITLES if name in type(value).model_fields), None)
    yield key, YES if title is None else getattr(value, title)
    yield from _entries(value, key, skip=(title,) if title else ())


def _all_keys(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Merge the keys of all settings; one that only some have comes behind its neighbour there."""
    keys: list[str] = []
    for one in sorted(settings, key=len, reverse=True):
        place = 0
        for key in one:
            if key in keys:
                place = keys.index(key) + 1
            else:
                keys.insert(place, key)
                place += 1
    return keys


def parents(key: str) -> Iterator[str]:
    """Yield the dotted keys that a key lies within, the outermost first."""
    parts = key.split(".")
    return (".".join(parts[:depth]) for depth in range(1, len(parts)))
