"""`promptreid note`."""

from __future__ import annotations

from pathlib import Path

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option


@click.command()
@click.argument("run", type=click.Path(path_type=Path), shell_complete=options.offers("runs"))
@click.argument("text", required=False)
@click.option("--remove", is_flag=True, help="Take the note away.")
@json_option
def note(run: Path, text: str | None, remove: bool, json_out: JsonOut) -> None:
    """Show the note of RUN, or write TEXT as its note.

    `promptreid train --note TEXT` gives a run its note; compare and report show it. A run that is
    being trained keeps the one it has until it is done or stopped.

    \b
    promptreid note runs/my-run
    promptreid note runs/my-run "the first with the new camera 3"
    promptreid note runs/my-run --remove
    """  # noqa: D301 - click reads the \b itself
    from promptreid.runs.run_folder import RunFolder

    if remove and text is not None:
        raise click.UsageError("Give a TEXT or --remove, not both.")
    folder = RunFolder.open(run)
    if not remove and text is None:
        click.echo(folder.note() or f"{run} has no note")
        json_out.give({"run": str(run), "note": folder.note()})
        return
    folder.change_note(text or "")
    note_now = folder.note()
    click.echo(f"{run}: {note_now}" if note_now else f"{run} has no note now")
    json_out.give({"run": str(run), "note": note_now})
