"""The pages of recipes: what the YAML, the list of uses and the stored results say of each.

Ideas, formulas and choices stand in `docs/recipes/FAMILY.md`. Nothing there repeats what is made
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from manual.stored_results import results_of
from promptreid.config.recipe_settings import changes
from promptreid.config.recipe_uses import find_use, recipe_uses
from promptreid.config.recipes import list_recipes, load_recipe, recipe_names, recipe_text
from promptreid.config.schema import Recipe
from promptreid.config.stage import StageConfig

_PEOPLE = "market1501:/data/Market-1501-v15.09.15"
_HANDS = '"hands11k:/data/11k?aspect=dorsal_right"'
_DATA = (
    ("vehicleid", '"vehicleid:/data/VehicleID_V1.0?size=800"'),
    ("vehicle", "veri776:/data/VeRi"),
    ("mta-clip/single", _PEOPLE),
    ("mta-clip", f"{_PEOPLE} --data msmt17:/data/MSMT17_V1"),
    ("pretrain", "images:/data/unlabelled"),
    ("hand", _HANDS),
    ("demo", _HANDS),
    ("prompt-learning", _HANDS),
    ("prompt-guided", _HANDS),
)
"""What a recipe is shown with: the data of the first of these texts that is in its name."""

_BEFORE = {"prompt-guided": "start.checkpoint=runs/prompts"}
"""Overrides without which a recipe does not start."""


def families() -> list[str]:
    """Name the families of recipes, each after the recipe that the others of it begin with."""
    return list(dict.fromkeys(name.partition("/")[0] for name in recipe_names()))


def variant_pages() -> dict[str, str]:
    """Write a page for each recipe that is not the first of its family, by its place."""
    variants = [name for name in recipe_names() if "/" in name]
    return {f"recipes/{name}.md": _variant_page(name) for name in variants}


def family_parts() -> dict[str, str]:
    """Write what goes below the hand-written page of each family, by its name."""
    return {family: _family_part(family) for family in families()}


def overview_part() -> str:
    """Write the list of all recipes by use, with links."""
    described = {one.name: one.description for one in list_recipes()}
    lines = []
    for use, rows in recipe_uses(described).items():
        lines += ["", f"### {use}", "", "| recipe | take it if |", "|---|---|"]
        for row in rows:
            names = [name for name in described if _same_row(name, row.name)]
            links = ", ".join(f"[`{name}`]({name}.md)" for name in names)
            lines.append(f"| {links} | {row.take_if} |")
    return "\n".join([*lines, ""])


def train_command(name: str) -> str:
    """Return the command that trains a recipe, on data that it is made for."""
    data = next((data for part, data in _DATA if part in name), _PEOPLE)
    before = f" {_BEFORE[name]}" if name in _BEFORE else ""
    return f"promptreid train {name}{before} --data {data}"


def loss_formula(stage: StageConfig) -> str:
    """Write the loss of a stage as a sum of its terms, with their weights."""
    terms = [
        f"{term.weight:g} {name}" if term.weight != 1 else name
        for name, term in stage.losses.active().items()
    ]
    return " + ".join(terms)


def _same_row(name: str, pattern: str) -> bool:
    start, star, _ = pattern.partition("*")
    return name.removeprefix(start).isdigit() if star else name == pattern


def _variant_page(name: str) -> str:
    recipe = load_recipe(name)
    parent = _parent(name)
    lines = [f"# {name}", "", recipe.description, ""]
    lines += [f"From: {recipe.source}.", "", *_when_to_take(name), ""]
    lines += [f"The idea and the formulas are on the page of [`{family(name)}`]({_up(name)})."]
    lines += ["", f"## What differs from `{parent}`", "", *_differences(parent, name)]
    return "\n".join([*lines, *_common(name, recipe)])


def family(name: str) -> str:
    """Name the family of a recipe."""
    return name.partition("/")[0]


def _up(name: str) -> str:
    return f"../{family(name)}.md"


def _family_part(name: str) -> str:
    recipe = load_recipe(name)
    lines = ["", *_when_to_take(name), *_common(name, recipe)]
    variants = [other for other in recipe_names() if other.startswith(f"{name}/")]
    if variants:
        lines += ["", "## Variants", "", "| recipe | what it is |", "|---|---|"]
        lines += [f"| [`{one}`]({one}.md) | {load_recipe(one).description} |" for one in variants]
    return "\n".join([*lines, ""])


def _when_to_take(name: str) -> list[str]:
    use, take_if = find_use(name)
    return [f"Take it if {take_if} (*{use.lower()}*)."] if take_if else []


def _common(name: str, recipe: Recipe) -> Iterator[str]:
    """Give the parts that every recipe's page ends with: run, stages, file, results."""
    yield from ["", "## Run it", "", "```", train_command(name), "```", ""]
    yield f"`promptreid recipes show {name}` prints every setting, "
    yield f"`promptreid recipes copy {name} mine.yaml` starts a recipe of your own."
    if recipe.stages:
        yield from ["", "## Stages", "", *_stage_table(recipe)]
    yield from ["", "## The file", "", "```yaml", recipe_text(name).rstrip(), "```", ""]
    yield from ["## Results", "", *results_of(name)]


def _stage_table(recipe: Recipe) -> Iterator[str]:
    yield "| stage | learns | loss | batch | optimizer | rates | epochs |"
    yield "|---|---|---|---|---|---|---:|"
    for stage in recipe.stages:
        batch, rule = stage.batch, stage.optimizer
        size = f"{batch.size}" if batch.size else f"{batch.identities} × {batch.images}"
        cells = [
            f"`{stage.name}`",
            ", ".join(stage.learns),
            loss_formula(stage),
            size,
            f"{rule.name}, lr {rule.lr:g}, decay {rule.weight_decay:g}",
            stage.schedule.name,
            str(stage.epochs),
        ]
        yield "| " + " | ".join(cells) + " |"


def _parent(name: str) -> str:
    """Name the recipe that one is shown against: what it extends, rather of its own family."""
    extended = yaml.safe_load(recipe_text(name)).get("extends", family(name))
    parents = [extended] if isinstance(extended, str) else extended
    return next((parent for parent in parents if family(parent) == family(name)), parents[0])


def _differences(parent: str, name: str) -> Iterator[str]:
    rows = changes(load_recipe(parent), load_recipe(name))
    if not rows:
        yield "Nothing but its name."
        return
    yield f"| setting | `{parent}` | `{name}` |"
    yield "|---|---|---|"
    for key, (before, after) in rows.items():
        yield f"| `{key}` | {_cell(before)} | {_cell(after)} |"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return f"`{text}`".replace("|", "\\|")
