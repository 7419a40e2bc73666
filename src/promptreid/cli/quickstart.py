"""`promptreid quickstart`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.config.recipe_choice import SUBJECTS


@click.command()
@click.argument("folder", metavar="FOLDER", shell_complete=options.offers("places"))
@click.option(
    "--subject",
    type=click.Choice(list(SUBJECTS)),
    help="What the pictures show.  [default: people if they are tall, else things]",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="How long the training may take; it is measured before, and shortened to fit.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for all that is made.  [default: runs/ and the name of FOLDER]",
)
@options.sure
@options.device
@json_option
def quickstart(
    folder: str,
    subject: str | None,
    minutes: float,
    out: Path | None,
    yes: bool,
    device: str | None,
    json_out: JsonOut,
) -> None:
    """From a folder of pictures to a trained model, its threshold and a search page.

    FOLDER holds one folder of pictures for each person (or vehicle, or animal). Every step is a
    command of promptreid, printed before it runs, so that each can be repeated or changed by hand.
    Stopped, the same command goes on where it was. A data spec such as csv:people.csv may stand for
    FOLDER.

    \b
    promptreid quickstart /data/crops
    promptreid quickstart /data/horses --subject animals --minutes 10
    """  # noqa: D301 - click reads the \b itself
    from promptreid.cli.first_steps.guide import Guide
    from promptreid.cli.first_steps.wishes import Wishes

    wishes = Wishes(subject, minutes, device, asks=not yes)
    guide = Guide.begin(folder, out, wishes)
    try:
        json_out.give(guide.lead())
    except click.Abort:
        again = ["promptreid", "quickstart", folder, "--out", str(guide.steps.folder)]
        click.echo(f"go on with: {shlex.join([*again, *wishes.words])}", err=True)
        raise
