"""`promptreid import-config`."""

from __future__ import annotations

from pathlib import Path

import click

from promptreid.cli.json_out import JsonOut, json_option


@click.command("import-config")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("changes", nargs=-1, metavar="[KEY VALUE]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="RECIPE.yaml",
    help="Write a recipe file, too.",
)
@json_option
def import_config(
    file: Path, changes: tuple[str, ...], out: Path | None, json_out: JsonOut
) -> None:
    """Say a YAML file of CLIP-ReID or CLIP-FH as a recipe and a command.

    Every key is told: what says the same here, of what the nearest was taken, and what needs
    nothing in its place, and why. Keys that a file leaves out have that code's defaults. What has
    no equal is refused, all of it at once. docs/moving.md has the tables.

    \b
    promptreid import-config vit_clipreid.yml DATASETS.NAMES market1501
    promptreid import-config old.yml --out mine.yaml
    """  # noqa: D301 - click reads the \b itself
    from promptreid.actions import import_old_config

    imported = import_old_config.import_config(file, changes, out=out)
    if not json_out.to_standard_output:
        click.echo(imported)
    json_out.give(imported.to_dict())
