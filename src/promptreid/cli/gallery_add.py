"""`promptreid gallery add`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptreid.cli import options
from promptreid.cli.gallery_model import (
    MODEL_PLACE,
    is_embedded,
    model_option,
    open_gallery,
    open_with_model,
    place,
)
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter
from promptreid.gallery.records.gallery_url import GalleryUrl
from promptreid.text.lists import counted
from promptreid.text.safe import visible

if TYPE_CHECKING:
    from promptreid.gallery.enrolment import Enrolled
    from promptreid.gallery.gallery import Gallery


@click.command()
@place
@click.argument(
    "sources",
    nargs=-1,
    required=True,
    metavar=f"{options.SPEC}...",
    shell_complete=options.offers("places"),
)
@click.option("--identity", help="Who is shown; SOURCES are image files then.")
@click.option("--camera", help="The camera of these image files.")
@click.option("--split", "splits", multiple=True, help="Enrol only these roles of the data.")
@click.option("--prefix", default="", help="Put this before the names of a data set.")
@options.unreadable
@model_option(MODEL_PLACE)
@options.device
@json_option
def add(
    place: GalleryUrl,
    sources: tuple[str, ...],
    model: Path | None,
    device: str | None,
    json_out: JsonOut,
    **choices: Any,
) -> None:
    """Enrol data sets, what `promptreid embed` made of them, or image files of one identity.

    Content that is enrolled already is passed over, so that a command that was stopped goes on
    where it was when it is given again. What is counted as done is on the disk.

    \b
    promptreid gallery add people.gallery folder:/data/crops
    promptreid gallery add people.gallery vectors
    promptreid gallery add people.gallery 1.jpg 2.jpg --identity anna
    """  # noqa: D301 - click reads the \b itself
    needs_model = _check_sources(sources, choices)
    opened = open_with_model(place, model, device) if needs_model else open_gallery(place)
    from promptreid.actions.enrol_data import enrol

    total = enrol(opened, *sources, progress=reporter(), **choices)
    _tell(place, opened, total)
    json_out.give(
        {
            "added": total.added,
            "present": total.present,
            "refused": list(total.refused),
            "conflicts": [vars(conflict) for conflict in total.conflicts],
        }
    )


def _check_sources(sources: tuple[str, ...], choices: dict[str, Any]) -> bool:
    """Refuse options that do not go together; return whether the model is needed."""
    identity = choices["identity"]
    if identity is None and choices["camera"] is not None:
        raise click.UsageError("--camera goes with --identity; data sets name cameras themselves.")
    embedded = {source for source in sources if identity is None and is_embedded(source)}
    if embedded and choices["splits"]:
        raise click.UsageError("--split does not go with a folder of `promptreid embed`.")
    return embedded != set(sources)


def _tell(place: GalleryUrl, opened: Gallery, total: Enrolled) -> None:
    """Print what was enrolled, and what was not and why."""
    facts = opened.info()
    click.echo(
        f"enrolled {counted(total.added, 'image')}; {total.present:,} were there before. "
        f"{place} holds {counted(facts.entries, 'image')} of "
        f"{counted(facts.identities, 'identity', 'identities')}."
    )
    conflicts = (
        f"{one.image} was given as {one.given!r} and stays enrolled as {one.enrolled!r}."
        for one in total.conflicts
    )
    refused = (
        f"{image} was erased and is refused since; to let it in: promptreid gallery allow "
        f"{place} {image}."
        for image in total.refused
    )
    for sentence in (*conflicts, *refused):
        click.echo(visible(sentence), err=True)
