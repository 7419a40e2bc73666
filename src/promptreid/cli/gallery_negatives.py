"""`promptreid gallery not`."""

from __future__ import annotations

from pathlib import Path

import click

from promptreid.cli import options
from promptreid.cli.gallery_changes import entry_option, seen_option
from promptreid.cli.gallery_model import (
    MODEL_PLACE,
    model_option,
    open_gallery,
    open_with_model,
    place,
)
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.gallery.records.gallery_url import GalleryUrl
from promptreid.text.lists import counted
from promptreid.text.safe import visible


@click.command("not")
@place
@click.argument("identity", required=False)
@click.argument("images", metavar="[IMAGE]...", nargs=-1, type=click.Path(path_type=Path))
@entry_option
@click.option(
    "--remove", "removed", type=int, multiple=True, help="Take back the negative example N."
)
@seen_option
@model_option(MODEL_PLACE)
@options.device
@json_option
def negatives(
    place: GalleryUrl,
    identity: str | None,
    images: tuple[Path, ...],
    entries: tuple[int, ...],
    removed: tuple[int, ...],
    seen: int | None,
    model: Path | None,
    device: str | None,
    json_out: JsonOut,
) -> None:
    """Say that pictures, or entries of others, do not show IDENTITY.

    A picture that is more like one of them than like any image of IDENTITY is not taken for it.
    Without pictures or entries, list what was said so far.

    \b
    promptreid gallery not people.gallery anna photo.jpg
    promptreid gallery not people.gallery anna --entry 12
    promptreid gallery not people.gallery anna
    promptreid gallery not people.gallery --remove 3
    """  # noqa: D301 - click reads the \b itself
    from promptreid.actions.searches.search_checks import check_is_file

    if removed:
        if identity is not None or entries:
            raise click.UsageError("--remove goes alone; it names negative examples by number.")
        gallery = open_gallery(place)
        gallery.remove_negatives(removed)
        click.echo(f"took back {counted(len(removed), 'negative example')}")
    elif identity is not None and (images or entries):
        for image in images:
            check_is_file(image)
        opened = open_with_model(place, model, device) if images else open_gallery(place)
        numbers = opened.add_negatives(identity, list(images), entries, seen=seen)
        gallery = opened
        told = counted(len(numbers), "negative example")
        click.echo(
            visible(
                f"{identity} has {told} more: what is more like one of them than like any image of "
                f"{identity} is not taken for {identity}"
            )
        )
    else:
        gallery = open_gallery(place)
        _list(gallery.negatives(identity))
    json_out.give([row.to_dict() for row in gallery.negatives(None if removed else identity)])


def _list(rows: list) -> None:
    if not rows:
        click.echo("there are no negative examples")
    for row in rows:
        what = f"entry {row.entry}, which shows {row.shows}" if row.entry else row.path
        click.echo(visible(f"{row.negative:>8}  not {row.identity}: {what or 'a picture'}"))
