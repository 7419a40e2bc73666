"""`promptreid search`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from promptreid.cli import options
from promptreid.cli.gallery_model import MODEL_PLACE, model_option
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started
from promptreid.text.safe import visible


@click.command()
@click.argument("place", metavar="FOLDER_OR_GALLERY", shell_complete=options.offers("places"))
@click.argument("images", metavar="[IMAGE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--text", metavar="SENTENCE", help="Look for what a sentence says, beside IMAGE or alone."
)
@click.option(
    "--template",
    "templates",
    multiple=True,
    help="A sentence with {text} in the place of --text; of several the mean counts.",
)
@click.option(
    "--weight",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Share of the sentence beside an image.",
)
@click.option(
    "--pictures",
    is_flag=True,
    help="Rank pictures one by one, not people; whether it is nobody is not decided then.",
)
@click.option("--rerank", is_flag=True, help="Put these into the order of k-reciprocal re-ranking.")
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, help="Candidates.")
@click.option(
    "--rate",
    type=float,
    help="The part of strangers that may be accepted.  [default: the gallery's]",
)
@click.option("--query-camera", help="The camera that took these images.")
@click.option("--other-cameras", is_flag=True, help="Leave out images of that camera.")
@click.option("--identity", "identities", multiple=True, help="Look only among these.")
@click.option("--camera", "cameras", multiple=True, help="Look only among images of these.")
@click.option("--domain", "domains", multiple=True, help="Look only among images of these.")
@click.option("--since", help="Look only among images from this time on.")
@click.option("--until", help="Look only among images up to this time.")
@click.option(
    "--attribute", "attributes", multiple=True, metavar="NAME=VALUE", help="Look only among these."
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PAGE",
    help="Also write the ranked pictures as one HTML page.",
)
@options.pixelated
@click.option("--no-cache", is_flag=True, help="Neither read nor keep embeddings.")
@model_option(MODEL_PLACE)
@options.device
@json_option
def search(
    place: str,
    images: tuple[Path, ...],
    text: str | None,
    templates: tuple[str, ...],
    pictures: bool,
    rerank: bool,
    query_camera: str | None,
    other_cameras: bool,
    attributes: tuple[str, ...],
    page: Path | None,
    pixelate: bool,
    no_cache: bool,
    model: Path | None,
    device: str | None,
    json_out: JsonOut,
    **how: Any,
) -> None:
    """Say who of a folder or gallery each picture shows, or nobody, and how sure that is.

    A folder holds one folder of pictures for each person. Its pictures are embedded once and kept
    in the user's cache; new, changed and removed ones are noticed. A data spec such as csv:FILE or
    market1501:PLACE may stand for it.

    With --text pictures are ranked by how well they fit a sentence, where the model has a text
    side; whether nobody fits is not decided then.

    The p-value of a score is the part of strangers that would get it, counted on those who are
    there. Exit code 0 is an answer, whichever it is; 2 is no answer.

    \b
    promptreid search /data/crops photo.jpg
    promptreid search /data/crops photo.jpg --model runs/mine --html found.html
    promptreid search people.gallery *.jpg --rate 0.01 --json answers.json
    promptreid search people.gallery --text "a person in a red coat"
    """  # noqa: D301 - click reads the \b itself
    from promptreid.actions.searches.search_checks import (
        check_is_file,
        check_is_picture,
        check_search,
    )

    asked: dict[str, Any] = {
        "text": text,
        "templates": templates,
        "pictures": pictures,
        "rerank": rerank,
        "query_camera": query_camera,
        "other_cameras": other_cameras,
    }
    check_search(any_image=bool(images), **asked)
    for image in images:
        check_is_file(image)
    wanted = _read_attributes(attributes)
    with started(f"reading {place}"):
        from promptreid.actions.searches.picture_index import PictureIndex

        for image in images:
            check_is_picture(image)
    index = PictureIndex.open(place, model, device=device, keep=not no_cache, progress=reporter())
    with index:
        for note in index.notes:
            click.echo(visible(note), err=True)
        found = index.search(
            *images, neighbours=page is not None, attributes=wanted, **asked, **how
        )
        click.echo(found)
        if page is not None:
            found.write_page(page, pixelate=pixelate)
            click.echo(f"wrote {page}")
        json_out.give(found.to_dict())


def _read_attributes(attributes: tuple[str, ...]) -> dict[str, list[str]]:
    """Read conditions NAME=VALUE; several of one name allow several values."""
    wanted: dict[str, list[str]] = {}
    for text in attributes:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{text!r} is no condition of the form NAME=VALUE.")
        wanted.setdefault(name, []).append(value)
    return wanted
