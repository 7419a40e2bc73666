"""`promptreid quickstart`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import headline, reporter
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
    yes: bool,
    json_out: JsonOut,
    **wishes: Any,
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
    from promptreid.actions.first_steps import quickstart_folder
    from promptreid.actions.first_steps.wishes import DeclinedError
    from promptreid.training.stage.stop_signals import Interrupted

    try:
        made = quickstart_folder.quickstart(
            folder, ask=None if yes or not sys.stdin.isatty() else _ask, say=_say,
            progress=reporter(), **wishes,
        )  # fmt: skip
    except (DeclinedError, Interrupted, KeyboardInterrupt) as stopped:
        again = ["promptreid", "quickstart", folder, *_write_options(wishes)]
        click.echo(f"go on with: {shlex.join(again)}", err=True)
        raise click.Abort from stopped
    json_out.give(made.to_dict())


def _ask() -> bool:
    return click.confirm("  Train now?", default=True, err=True)


def _say(text: str, title: bool) -> None:
    """Print a line, and the title of a step in bold type."""
    (headline if title else click.echo)(text)


def _write_options(wishes: Mapping[str, Any]) -> list[str]:
    """Write the options that were given, to be typed again."""
    given = {name: value for name, value in wishes.items() if value is not None}
    return [word for name, value in given.items() for word in (f"--{name}", _write(value))]


def _write(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
