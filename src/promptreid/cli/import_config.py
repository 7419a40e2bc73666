"""`promptreid import-config`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import write_recipe_file
from promptreid.text.safe import visible
from promptreid.text.wrap import indented

if TYPE_CHECKING:
    from promptreid.moving.translation import Translation

_TITLES = {
    "exact": "says the same here",
    "changed": "the nearest was taken",
    "dropped": "needs nothing in its place",
}


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
    r"""Say a YAML file of CLIP-ReID or CLIP-FH as a recipe and a command.

    Every key is told: what says the same here, of what the nearest was taken, and what needs
    nothing in its place, and why. Keys that a file leaves out have that code's defaults. What has
    no equal is refused, all of it at once. docs/moving.md has the tables.

    \b
    promptreid import-config vit_clipreid.yml DATASETS.NAMES market1501
    promptreid import-config old.yml --out mine.yaml
    """
    from promptreid.moving import import_config as importing

    translation = importing.import_config(file, changes)
    if out is not None:
        write_recipe_file(out, translation.recipe_text())
    if not json_out.to_standard_output:
        _print(translation, out)
    json_out.give(translation.to_dict())


def _print(translation: Translation, out: Path | None) -> None:
    for kind, title in _TITLES.items():
        notes = getattr(translation, kind)
        if not notes:
            continue
        click.echo(f"{kind}: {title}")
        for note in notes:
            told = f"{note.key}: {note.value}"
            became = " -> ".join(filter(None, (told, note.became)))
            reason = f" ({note.reason})" if note.reason else ""
            click.echo(indented(visible(became + reason), "    ", first="  "))
    click.echo("")
    if not translation.changed:
        click.echo(f"Equal to {translation.origin} in all settings; random draws differ.")
    else:
        click.echo(f"The nearest to {translation.origin}, not equal: see what was changed.")
    if translation.data is None:
        click.echo("It names no data set: put one in the place of SPEC.")
    if out is not None:
        click.echo(f"wrote {out}")
    click.echo(translation.command(None if out is None else str(out)))
