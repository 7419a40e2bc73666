"""Commands of `promptreid gallery` that change the model, or the place."""

from __future__ import annotations

from pathlib import Path

import click

from promptreid.cli import options
from promptreid.cli.gallery_model import GalleryPlace, model_option, open_gallery, place
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started
from promptreid.gallery.records.gallery_url import GalleryUrl
from promptreid.text.lists import counted
from promptreid.text.safe import visible


@click.command()
@place
@model_option("The model that makes the new vectors.", required=True)
@click.option("--keep-old", is_flag=True, help="Keep the old vectors, for switching back.")
@options.device
@json_option
def reembed(
    place: GalleryUrl, model: Path, keep_old: bool, device: str | None, json_out: JsonOut
) -> None:
    """Make vectors of another model, and search those from then on.

    Others search and add as before until the switch, which is one transaction. A command that was
    stopped goes on where it was when it is given again.
    """
    opened = open_gallery(place)
    with started(f"loading {model}"):
        from promptreid.gallery.embedder_model import EmbedderModel
        from promptreid.inference.load import load

        new = EmbedderModel(load(model, device=device), source=str(model.absolute()))
    made = opened.reembed(new, keep_old=keep_old, progress=reporter())
    old = "the old vectors are kept" if made.is_former_kept else "the old vectors are gone"
    if made.former is None:
        old = "it did so before, too"
    click.echo(
        visible(
            f"{place} searches vectors of {made.fingerprint[:16]} from {model}: "
            f"{counted(made.entries, 'image')}, {made.made:,} embedded by this command; {old}"
        )
    )
    json_out.give(made.to_dict())


@click.command()
@place
@click.argument("target", metavar="TO", type=GalleryPlace())
@json_option
def copy(place: GalleryUrl, target: GalleryUrl, json_out: JsonOut) -> None:
    """Copy everything to the new place TO, and compare both; all of it or nothing is kept."""
    copied = open_gallery(place).copy(target, reporter())
    click.echo(
        f"copied {counted(copied.entries, 'image')} of "
        f"{counted(copied.identities, 'identity', 'identities')} with vectors of "
        f"{counted(copied.models, 'model')} to {target}; {counted(len(copied.parts), 'part')} "
        "compared, all the same"
    )
    json_out.give(copied.to_dict())
