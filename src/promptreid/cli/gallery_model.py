"""Opening a gallery with the model that made its vectors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptreid.cli import options
from promptreid.cli.output import reporter, started
from promptreid.gallery.records.gallery_url import GalleryUrl, parse_gallery_url

if TYPE_CHECKING:
    from promptreid.gallery.gallery import Gallery
    from promptreid.gallery.records.record_store import Records


class GalleryPlace(click.ParamType):
    """A folder, or the URL of a database; written out it is without passwords."""

    name = "gallery"

    def convert(
        self, value: str | GalleryUrl, param: click.Parameter | None, ctx: click.Context | None
    ) -> GalleryUrl:
        """Read a place."""
        return parse_gallery_url(value)


place = click.argument("place", metavar="GALLERY", type=GalleryPlace())
MODEL_PLACE = "Where the model lies.  [default: where it lay when the gallery was created]"
"""What `--model` is for where a gallery has its model."""


def model_option(
    purpose: str, *, required: bool = False
) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """Make the option that names a model."""
    return click.option(
        "--model",
        required=required,
        type=options.ExistingRun(),
        metavar="RUN_OR_CHECKPOINT",
        help=purpose,
    )


def is_embedded(source: str) -> bool:
    """Tell whether a source is a folder that `promptreid embed` made."""
    if not Path(source).is_dir():  # a data spec or a file; nothing that takes long is imported
        return False
    from promptreid.actions import enrol_data

    return enrol_data.is_embedded(source)


@contextlib.contextmanager
def reading_records(place: GalleryUrl) -> Generator[Records]:
    """Open the records of a gallery, of which nothing is made ready for a search."""
    from promptreid.gallery.records.open_records import open_records

    lines = reporter()
    lines.message(f"opening {place}")
    with lines.doing(f"reading {place}"):
        records = open_records(place)
        try:
            yield records
        finally:
            records.close()


def open_gallery(place: GalleryUrl) -> Gallery:
    """Open a gallery without its model, until the command ends."""
    with started(f"opening {place}"):
        from promptreid.gallery.gallery import Gallery

        opened = Gallery.open(place, progress=reporter())
    click.get_current_context().call_on_close(opened.close)
    return opened


def open_with_model(place: GalleryUrl, model: Path | None, device: str | None) -> Gallery:
    """Open a gallery with its model, until the command ends."""
    with started(f"opening {place}"):
        from promptreid.actions import gallery_models

        opened = gallery_models.open_gallery(place, model, device=device, progress=reporter())
    click.get_current_context().call_on_close(opened.close)
    return opened
