"""`promptreid search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptreid.cli import options
from promptreid.cli.gallery_model import model_option, open_with_model, place
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.text.safe import visible
from promptreid.text.tables import plain_table
from promptreid.text.wrap import indented

if TYPE_CHECKING:
    from promptreid.gallery.searching.answer import Answer
    from promptreid.gallery.searching.filters import Filters


@click.command()
@place
@click.argument(
    "images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
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
@model_option
@options.device
@json_option
def search(
    place: Path,
    images: tuple[Path, ...],
    top: int,
    rate: float | None,
    query_camera: str | None,
    model: Path | None,
    device: str | None,
    json_out: JsonOut,
    **conditions: Any,
) -> None:
    """Say who of a gallery each picture shows, or nobody, and how sure that is.

    The p-value of a score is the part of strangers that would get it, counted on those who are
    enrolled. Exit code 0 is an answer, whichever it is; 2 is no answer.

    \b
    promptreid search people.gallery photo.jpg
    promptreid search people.gallery *.jpg --rate 0.01 --json answers.json
    """  # noqa: D301 - click reads the \b itself
    from promptreid.errors import DataError

    for image in images:
        if not image.is_file():
            raise DataError(f"There is no image file {image}.")
    if conditions["other_cameras"] and query_camera is None:
        raise click.UsageError("--other-cameras needs --query-camera.")
    gallery = open_with_model(place, model, device)
    from promptreid.gallery.vector_model import GalleryImage

    queries = [GalleryImage(image, camera=query_camera) for image in images]
    answers = gallery.search(queries, top=top, filters=_filters(**conditions), rate=rate)
    for image, answer in zip(images, answers, strict=True):
        click.echo(_text(image, answer, top))
    records = [
        {"image": str(image), **answer.to_dict(), "explanation": answer.explanation}
        for image, answer in zip(images, answers, strict=True)
    ]
    json_out.give({"gallery": str(place), "answers": records})


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


def _text(image: Path, answer: Answer, top: int) -> str:
    verdicts = {
        "identity": f"{answer.identity}: {image}",
        "nobody": f"NOBODY WHO IS ENROLLED: {image}",
        "undecided": f"CANNOT BE DECIDED: {image}",
    }
    lines = [visible(verdicts[answer.verdict]), indented(answer.explanation, "  ")]
    rows = [("", "identity", "score", "p", "entry")]
    rows += [
        (
            str(rank),
            visible(candidate.identity),
            f"{candidate.score:.4f}",
            f"{candidate.p:.4f}",
            str(candidate.entry),
        )
        for rank, candidate in enumerate(answer.candidates[:top], start=1)
    ]
    if answer.candidates:
        table = plain_table(rows, right=(True, False, True, True, True))
        lines += [f"  {line}".rstrip() for line in table]
    if answer.gap is not None:
        lines.append(f"  {answer.gap:.4f} before {visible(str(answer.runner_up))}")
    return "\n".join(lines)
