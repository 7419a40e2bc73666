"""The recipes of the package, as the command `recipes` and Python list them."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from promptreid.actions.train_settings import Overrides, list_settings
from promptreid.config.recipe_file import write_recipe_file
from promptreid.config.recipe_uses import UseRow, find_use, recipe_uses
from promptreid.config.recipes import (
    RecipeInfo,
    dump_recipe,
    list_recipes,
    recipe_text,
    resolve_recipe,
)
from promptreid.config.schema import Recipe
from promptreid.text.wrap import indented
from promptreid.training.stage.early_stopping import validation_metric


@dataclass(frozen=True, repr=False)
class ShownRecipe:
    """A recipe with all its settings. Printed, it is YAML that can be trained.

    Attributes:
        recipe: The settings, as attributes.
        notes: A sentence for each setting that is recorded under another name than was given.
    """

    recipe: Recipe
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return all settings, JSON-ready."""
        return self.recipe.model_dump(mode="json")

    def __str__(self) -> str:
        return dump_recipe(self.recipe)

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class RecipeList(Sequence[RecipeInfo]):
    """All recipes. Printed, they stand by what they are for; a notebook shows a table.

    Attributes:
        infos: Name, description and source of each.
    """

    infos: tuple[RecipeInfo, ...]

    def __len__(self) -> int:
        return len(self.infos)

    @overload
    def __getitem__(self, index: int) -> RecipeInfo: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[RecipeInfo]: ...

    def __getitem__(self, index: int | slice) -> RecipeInfo | Sequence[RecipeInfo]:
        return self.infos[index]

    def __iter__(self) -> Iterator[RecipeInfo]:
        return iter(self.infos)

    @property
    def names(self) -> list[str]:
        """The names, which `train` takes."""
        return [one.name for one in self.infos]

    def show(self, name: str, overrides: Overrides | None = None) -> ShownRecipe:
        """Resolve a recipe with all its settings, as `promptreid recipes show` prints it.

        Args:
            name: Its name, or a YAML file.
            overrides: Settings by their full key, such as `{"stages.image.epochs": 10}`.

        Raises:
            ConfigError: There is no such recipe, or a setting is wrong.

        Example:
            >>> promptreid.recipes().show("clip-reid/tiny").recipe.backbone.name
            'tiny'
        """
        recipe, notes = resolve_recipe(name, list_settings(name, overrides, {}))
        validation_metric(recipe.validation)
        return ShownRecipe(recipe, notes)

    def copy(self, name: str, file: str | os.PathLike[str]) -> Path:
        """Write the text of a recipe into a file, to change it and train with it.

        Args:
            name: Its name.
            file: A new file whose name ends in `.yaml`.

        Returns:
            The file, which `train` takes.

        Raises:
            ConfigError: There is no such recipe, the file is there, or its name ends otherwise.

        Example:
            >>> promptreid.recipes().copy("clip-reid/tiny", "mine.yaml").name
            'mine.yaml'
        """
        write_recipe_file(Path(file), recipe_text(name))
        return Path(file)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return all that is known of each, JSON-ready, as `promptreid recipes --json` has it."""
        rows = []
        for one in self.infos:
            use, take_if = find_use(one.name)
            rows.append({**vars(one), "use": use, "take_if": take_if})
        return rows

    def __str__(self) -> str:
        lines = ["Take this if ..."]
        for use, rows in self.uses().items():
            lines += ["", use]
            column = 2 + max(len(row.name) for row in rows) + 2
            for row in rows:
                start = f"  {row.name}".ljust(column)
                lines.append(indented(row.take_if, " " * column, first=start))
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        body = "".join(
            f"<tr><th colspan='2' style='text-align:left'>{html.escape(use)}</th></tr>"
            + "".join(
                f"<tr><td style='text-align:left'><code>{html.escape(row.name)}</code></td>"
                f"<td style='text-align:left'>{html.escape(row.take_if)}</td></tr>"
                for row in rows
            )
            for use, rows in self.uses().items()
        )
        return f"<p>Take this if ...</p><table>{body}</table>"

    def uses(self) -> dict[str, list[UseRow]]:
        """Return the recipes by what they are for."""
        return recipe_uses({one.name: one.description for one in self.infos})


def recipes() -> RecipeList:
    """List all recipes by what they are for, and when to take each.

    Returns:
        The list; `print` it, look at it in a notebook, or take its `names`.

    Example:
        >>> "clip-reid/tiny" in promptreid.recipes().names
        True
    """
    return RecipeList(tuple(list_recipes()))
