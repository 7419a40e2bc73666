"""`promptreid recipes`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptreid.cli import options
from promptreid.cli.described_group import DescribedGroup
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import headline
from promptreid.text.wrap import indented

if TYPE_CHECKING:
    from promptreid.actions.recipe_listing import RecipeList

recipe_name = click.argument("name", shell_complete=options.offers("recipes"))
_long = click.option("--long", is_flag=True, help="Print what each recipe is, and its source.")


@click.group(cls=DescribedGroup, invoke_without_command=True)
@json_option
@_long
@click.pass_context
def recipes(ctx: click.Context, json_out: JsonOut, long: bool) -> None:
    """List, show and copy recipes. Alone, it lists them by what they are for."""
    if ctx.invoked_subcommand is None:
        _list(json_out, long=long)


@recipes.command("list")
@json_option
@_long
def list_command(json_out: JsonOut, long: bool) -> None:
    """List every recipe by what it is for, and when to take it."""
    _list(json_out, long=long)


@recipes.command()
@recipe_name
@options.overrides
@json_option
def show(name: str, overrides: tuple[str, ...], json_out: JsonOut) -> None:
    """Print recipe NAME fully resolved, with overrides applied."""
    from promptreid.actions import recipe_listing

    shown = recipe_listing.recipes().show(name, overrides)
    for note in shown.notes:
        click.echo(note, err=True)
    if not json_out.to_standard_output:
        click.echo(shown, nl=False)
    json_out.give(shown.to_dict())


@recipes.command()
@recipe_name
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def copy(name: str, file: Path, json_out: JsonOut) -> None:
    """Write the text of recipe NAME to FILE, to change it and train with it."""
    from promptreid.actions import recipe_listing

    recipe_listing.recipes().copy(name, file)
    click.echo(f"wrote {file}; train it with: promptreid train {file} --data ...")
    json_out.give({"recipe": name, "file": str(file)})


def _list(json_out: JsonOut, *, long: bool) -> None:
    from promptreid.actions import recipe_listing

    listed = recipe_listing.recipes()
    if not json_out.to_standard_output:
        (_print_long if long else _print_uses)(listed)
    json_out.give(listed.to_dicts())


def _print_long(listed: RecipeList) -> None:
    for recipe in listed:
        headline(recipe.name)
        for text in (recipe.description, recipe.source):
            click.echo(indented(text, "    "))


def _print_uses(listed: RecipeList) -> None:
    uses = set(listed.uses())
    for line in str(listed).split("\n"):
        (headline if line in uses else click.echo)(line)
    click.echo(
        "\n`promptreid recipes show NAME` prints one with all its settings, `--long` what\n"
        "each is and where it comes from; `copy NAME FILE.yaml` starts one of your own."
    )
