"""What becomes of a configuration of other code: a recipe, a command, and a word on every key."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from promptreid.config.recipes import load_recipe
from promptreid.config.schema import Recipe
from promptreid.text.flat_tree import flat_tree


@dataclass(frozen=True)
class KeyNote:
    """What became of one key.

    Attributes:
        key: The key of the other code.
        value: Its value there.
        became: What says the same here, or "".
        reason: Why it became something else, or nothing; "" where it says the same.
    """

    key: str
    value: Any
    became: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Translation:
    """A configuration of other code in this package's words.

    Attributes:
        origin: Whose configuration it is, for people.
        recipe: The shipped recipe that is nearest.
        settings: What differs from it, by dotted key, stages by name.
        data: A data SPEC, or None where the configuration names no data.
        seed: The seed that training starts from, or None.
        exact: Keys that say the same here.
        changed: Keys of which the nearest was taken.
        dropped: Keys that nothing has to take the place of.
    """

    origin: str
    recipe: str
    settings: Mapping[str, Any]
    data: str | None
    seed: int | None
    exact: tuple[KeyNote, ...]
    changed: tuple[KeyNote, ...]
    dropped: tuple[KeyNote, ...]

    @property
    def overrides(self) -> tuple[str, ...]:
        """What differs from the recipe, as the command line takes it."""
        return tuple(f"{key}={as_override(value)}" for key, value in self.settings.items())

    def command(self, recipe_file: str | None = None) -> str:
        """Return the command that trains it.

        Args:
            recipe_file: A file that `recipe_text` was written to, in the place of recipe and
                overrides.
        """
        words = ["promptreid", "train", recipe_file or self.recipe]
        if recipe_file is None:
            words += self.overrides
        words += ["--data", self.data or "SPEC"]
        if self.seed is not None:
            words += ["--seed", str(self.seed)]
        return shlex.join(words)

    def load(self) -> Recipe:
        """Resolve the recipe with what differs.

        Raises:
            ConfigError: The settings do not fit together here.
        """
        return load_recipe(self.recipe, self.overrides)

    def recipe_text(self) -> str:
        """Return a recipe file that extends the nearest one."""
        tree: dict[str, Any] = {"extends": self.recipe, "description": f"From {self.origin}."}
        stages: dict[str, dict[str, Any]] = {}
        for key, value in self.settings.items():
            parts = key.split(".")
            place = tree
            if parts[0] == "stages":
                place, parts = stages.setdefault(parts[1], {}), parts[2:]
            for part in parts[:-1]:
                place = place.setdefault(part, {})
            place[parts[-1]] = value
        if stages:
            tree["stages"] = [{"name": name, **values} for name, values in stages.items()]
        return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        notes = {name: [vars(one) for one in getattr(self, name)] for name in NOTES}
        return {
            "origin": self.origin,
            "recipe": self.recipe,
            "settings": dict(self.settings),
            "data": self.data,
            "seed": self.seed,
            "command": self.command(),
            **notes,
        }


NOTES = ("exact", "changed", "dropped")
"""Kinds of notes on keys."""


def nearest_recipe(names: Sequence[str], wanted: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the recipe that takes the fewest overrides, and these.

    Args:
        names: Recipes to choose from; of equally near ones the first is taken.
        wanted: Values by dotted key, stages by name.
    """
    best: tuple[str, dict[str, Any]] | None = None
    for name in names:
        values = flat_values(load_recipe(name))
        differing = {
            key: value for key, value in wanted.items() if _plain(values.get(key)) != _plain(value)
        }
        if best is None or len(differing) < len(best[1]):
            best = name, differing
    if best is None:
        raise ValueError("there is no recipe to choose from")
    return best


def flat_values(recipe: Recipe) -> dict[str, Any]:
    """Return the values of a recipe by dotted key, stages by name; a lone template stands alone."""
    tree = recipe.model_dump(mode="json")
    values = flat_tree(tree)
    for stage in tree["stages"]:
        for name, term in stage["losses"].items():
            values[f"stages.{stage['name']}.losses.{name}"] = 0 if term is None else term["weight"]
    template = tree["prompt"]["template"]
    values["prompt.template"] = template[0] if len(template) == 1 else template
    return values


def as_override(value: Any) -> str:
    """Write a value as an override takes it, in YAML on one line."""
    if isinstance(value, str):
        return value
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
    return text.removesuffix("\n...").strip()


def _plain(value: Any) -> Any:
    """Return lists for tuples and floats for whole numbers, so that equal values are equal."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
