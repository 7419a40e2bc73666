"""`promptreid recipes`."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_context
def recipes(ctx: click.Context, as_json: bool) -> None:
    """List, show and copy recipes. Alone, it lists them."""
    if ctx.invoked_subcommand is None:
        _list(as_json)


@recipes.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_command(as_json: bool) -> None:
    """List every recipe with a line about it and its source."""
    _list(as_json)


@recipes.command()
@click.argument("name")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
def show(name: str, overrides: tuple[str, ...]) -> None:
    """Print recipe NAME fully resolved, with overrides applied."""
    from promptreid.config.recipes import dump_recipe, resolve_recipe

    recipe, notes = resolve_recipe(name, overrides)
    for note in notes:
        click.echo(note, err=True)
    click.echo(dump_recipe(recipe), nl=False)


@recipes.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def copy(name: str, file: Path) -> None:
    """Write the text of recipe NAME to FILE, to change it and train with it."""
    from promptreid.config.recipes import recipe_text
    from promptreid.errors import ConfigError
    from promptreid.files import write_text

    text = recipe_text(name)
    if file.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{file} must end in .yaml, so that `promptreid train {file}` reads it.")
    if file.exists():
        raise ConfigError(f"{file} exists already and is not overwritten. Give another name.")
    write_text(file, text)
    click.echo(f"wrote {file}; train it with: promptreid train {file} --data ...")


def _list(as_json: bool) -> None:
    import json
    import shutil
    import textwrap

    from promptreid.cli.output import headline
    from promptreid.config.recipes import list_recipes

    found = list_recipes()
    if as_json:
        click.echo(json.dumps([vars(recipe) for recipe in found], indent=2, ensure_ascii=False))
        return
    width = min(shutil.get_terminal_size().columns, 110)
    for recipe in found:
        headline(recipe.name)
        for text in (recipe.description, recipe.source):
            click.echo(textwrap.fill(text, width, initial_indent="    ", subsequent_indent="    "))
