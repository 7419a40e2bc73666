"""Find, read, resolve and list recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from promptreid.config.reading.merge import merge
from promptreid.config.reading.overrides import apply_overrides
from promptreid.config.reading.problems import describe, problem_list
from promptreid.config.reading.spellings import renamed
from promptreid.config.reading.synonyms import RECIPES
from promptreid.config.reading.trees import read_tree
from promptreid.config.schema import Recipe
from promptreid.errors import ConfigError
from promptreid.text.short import shortened
from promptreid.text.suggest import SHOWN, closest, did_you_mean, plain

FOLDER = Path(__file__).resolve().parent.parent / "recipes"
_MOST_FILES, _DEEPEST = 100, 20
_LONGEST = 80


@dataclass(frozen=True)
class RecipeInfo:
    """One line of the list of recipes."""

    name: str
    description: str
    source: str


def recipe_names() -> list[str]:
    """Return the names of all recipes in the package, sorted."""
    return list(_list_names(FOLDER))


@cache
def _list_names(folder: Path) -> tuple[str, ...]:
    """List the recipes of a folder once; those of an installed package stay."""
    names = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))
    return tuple(sorted(name for name in names if not name.startswith("sweeps/")))


def list_recipes() -> list[RecipeInfo]:
    """Return name, description and source of every recipe in the package."""
    recipes = map(load_recipe, recipe_names())
    return [RecipeInfo(recipe.name, recipe.description, recipe.source) for recipe in recipes]


def recipe_text(name: str) -> str:
    """Return the YAML of a recipe in the package, comments included.

    Raises:
        ConfigError: There is no such recipe.
    """
    return _find(name, None).read_text(encoding="utf-8")


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Resolve a recipe: its parents, then its own values, then the overrides.

    Args:
        name: A name from `recipe_names`, or the path of a YAML file.
        overrides: `dotted.key=value` texts; stages are addressed by name.

    Raises:
        ConfigError: The recipe does not exist, is not YAML, extends itself, or holds wrong keys or
            values; all wrong keys and values are named at once.
    """
    return resolve_recipe(name, overrides)[0]


def resolve_recipe(name: str, overrides: Sequence[str] = ()) -> tuple[Recipe, tuple[str, ...]]:
    """Resolve a recipe as `load_recipe` does.

    Returns:
        The recipe, and a sentence for each value in the spelling of other code.
    """
    tree = _resolve(name, None, (), {})
    problems = apply_overrides(tree, overrides, Recipe)
    recipe = validate(tree, where=f"Recipe {name!r}", problems=problems)
    return recipe, tuple(renamed(tree, recipe))


def validate(tree: dict[str, Any], *, where: str, problems: Sequence[str] = ()) -> Recipe:
    """Check resolved values.

    Args:
        tree: Values as read from YAML.
        where: What they are, as the message begins.
        problems: What is wrong with them already.

    Raises:
        ConfigError: All wrong keys and values, one a line.
    """
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        problems = [*problems, *describe(error, tree, Recipe)]
    else:
        if not problems:
            return recipe
    raise ConfigError(f"{where} {problem_list(problems)}")


def dump_recipe(recipe: Recipe) -> str:
    """Return the fully resolved recipe as YAML that `load_recipe` reads back to the same recipe."""
    values = recipe.model_dump(mode="json")
    for stage in values["stages"]:
        stage["losses"] = {name: term for name, term in stage["losses"].items() if term is not None}
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def _find(name: str, beside: Path | None) -> Path:
    if name.endswith((".yaml", ".yml")):
        path = Path(name) if beside is None else beside / name
        if not path.is_file():
            raise ConfigError(f"There is no recipe file {path}. Give a YAML file or a recipe name.")
        return path
    if name not in recipe_names():
        raise ConfigError(_unknown_recipe(name))
    return FOLDER / f"{name}.yaml"


def _resolve(
    name: str, beside: Path | None, seen: tuple[Path, ...], known: dict[Path, dict[str, Any]]
) -> dict[str, Any]:
    """Lay a recipe over those it extends; each file is read once, however often it is extended."""
    path = _find(name, beside).resolve()
    if path in seen:
        chain = " -> ".join(step.stem for step in (*seen, path))
        raise ConfigError(f"Recipes extend each other in a circle: {chain}.")
    if path in known:
        return known[path]
    if len(known) >= _MOST_FILES or len(seen) >= _DEEPEST:
        raise ConfigError(
            f"{path} extends too many recipes: at most {_MOST_FILES} files, {_DEEPEST} one after "
            "the other."
        )
    values = read_tree(path, holding="of keys to values")
    tree: dict[str, Any] = {}
    for parent in _parents(values.pop("extends", []), path):
        tree = merge(tree, _resolve(parent, path.parent, (*seen, path), known))
    tree = merge(tree, values)
    if path.is_relative_to(FOLDER):
        tree["name"] = path.relative_to(FOLDER).with_suffix("").as_posix()
    else:
        tree["name"] = values.get("name", path.stem)
    known[path] = tree
    return tree


def _unknown_recipe(name: str) -> str:
    names = recipe_names()
    meant = [recipe for recipe in RECIPES.get(plain(name), ()) if recipe in names]
    near = list(dict.fromkeys([*meant, *closest(name, names)]))[:SHOWN]
    shown = shortened(repr(name), _LONGEST)
    return f"There is no recipe named {shown}.{did_you_mean(near)} `promptreid recipes` lists all."


def _parents(extended: Any, path: Path) -> list[str]:
    """Return the names behind `extends`."""
    names = [extended] if isinstance(extended, str) else extended
    if isinstance(names, list) and all(isinstance(name, str) and name for name in names):
        return names
    raise ConfigError(
        f"{path}: extends takes the name of a recipe or a YAML file, or a list of them, "
        f"not {extended!r}."
    )
