"""The settings in which a run differs from the recipe it was made from."""

from __future__ import annotations

from promptreid.config.reading.yaml_reader import parse_yaml
from promptreid.config.recipe_settings import changes
from promptreid.config.recipes import load_recipe, recipe_names, recipe_text
from promptreid.config.schema import Recipe
from promptreid.pages.content import SettingChange


def recipe_changes(recipe: Recipe) -> tuple[str, tuple[SettingChange, ...]]:
    """Set a run's recipe against the packaged one that a reader knows.

    That is the recipe it names. Where the run takes that one as it is, nothing would be left to
    say, so it is set against the recipe which that one extends.

    Returns:
        Name of the packaged recipe and the settings that differ, in the order of the recipe; ""
        and nothing for a recipe that is not in the package.
    """
    if recipe.name not in recipe_names():
        return "", ()
    own_changes = _changes(recipe.name, recipe)
    parent = _extended(recipe.name)
    if own_changes or not parent:
        return recipe.name, own_changes
    return parent, _changes(parent, recipe)


def _changes(parent: str, recipe: Recipe) -> tuple[SettingChange, ...]:
    changed = changes(load_recipe(parent), recipe)
    return tuple(SettingChange(key, before, now) for key, (before, now) in changed.items())


def _extended(name: str) -> str:
    """Name the one recipe that a packaged recipe extends, "" if it extends none or several."""
    parents = parse_yaml(recipe_text(name)).get("extends", [])
    parents = [parents] if isinstance(parents, str) else parents
    return str(parents[0]) if len(parents) == 1 else ""
