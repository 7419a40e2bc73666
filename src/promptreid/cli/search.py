"""`promptreid search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptreid.cli import options
from promptreid.cli.gallery_model import model_option
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.searched_place import open_place
from promptreid.text.safe import visible
from promptreid.text.wrap import indented

if TYPE_CHECKING:
    from promptreid.gallery.searching.filters import Filters


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
@model_option
@options.device
@json_option
def search(
    place: str,
    images: tuple[Path, ...],
    text: str | None,
    templates: tuple[str, ...],
    weight: float,
    pictures: bool,
    rerank: bool,
    top: int,
    rate: float | None,
    query_camera: str | None,
    page: Path | None,
    pixelate: bool,
    no_cache: bool,
    model: Path | None,
    device: str | None,
    json_out: JsonOut,
    **conditions: Any,
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
    from promptreid.cli.search_found import SearchRequest, find_pictures, write_search_page
    from promptreid.errors import DataError
    from promptreid.gallery.vector_model import GalleryImage

    if not images and text is None:
        raise click.UsageError("Name an IMAGE to look for, or a sentence by --text.")
    if text is not None and (pictures or rerank):
        raise click.UsageError(
            "--text has a ranking of its own; leave out --pictures and --rerank."
        )
    if templates and text is None:
        raise click.UsageError("--template goes with --text.")
    for image in images:
        if not image.is_file():
            raise DataError(f"There is no image file {image}.")
    if conditions["other_cameras"] and query_camera is None:
        raise click.UsageError("--other-cameras needs --query-camera.")
    opened = open_place(place, model, device, keep=not no_cache)
    for note in opened.notes:
        click.echo(visible(note), err=True)
    if rerank and not pictures and opened.named:
        raise click.UsageError("--rerank orders pictures; give --pictures with it.")
    request = SearchRequest(
        top,
        _filters(**conditions),
        rate,
        text,
        templates,
        weight,
        neighbours=page is not None,
        pictures=pictures or not opened.named,
        rerank=rerank,
    )
    queries = [GalleryImage(image, camera=query_camera) for image in images]
    found = find_pictures(opened, queries, request)
    for one in found:
        click.echo(one.text(opened, top=top))
    for remark in opened.remarks:
        click.echo(indented(remark, ""))
    if page is not None:
        write_search_page(page, opened, found, top=top, pixelate=pixelate)
        click.echo(f"wrote {page}")
    records = [one.to_dict(opened) for one in found]
    json_out.give({"gallery": place, "answers": records, "remarks": opened.remarks})


def _filters(
    *,
    identities: tuple[str, ...],
    cameras: tuple[str, ...],
    domains: tuple[str, ...],
    attributes: tuple[str, ...],
    since: str | None,
    until: str | None,
    other_cameras: bool,
) -> Filters:
    from promptreid.gallery.searching.filters import Filters, parse_time

    wanted: dict[str, list[str]] = {}
    for text in attributes:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{text!r} is no condition of the form NAME=VALUE.")
        wanted.setdefault(name, []).append(value)
    return Filters(
        identities=identities or None,
        cameras=cameras or None,
        domains=domains or None,
        since=None if since is None else parse_time(since),
        until=None if until is None else parse_time(until),
        attributes=wanted,
        other_cameras=other_cameras,
    )
