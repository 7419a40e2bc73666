"""Opening a gallery with the model that made its vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptreid.cli.output import started

if TYPE_CHECKING:
    from promptreid.gallery.gallery import Gallery

place = click.argument("place", metavar="GALLERY", type=click.Path(path_type=Path))
model_option = click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="RUN_OR_CHECKPOINT",
    help="Where the model lies.  [default: where it lay when the gallery was created]",
)


def open_gallery(place: Path) -> Gallery:
    """Open a gallery without its model."""
    with started(f"opening {place}"):
        from promptreid.gallery.gallery import Gallery

        return Gallery.open(place)


def open_with_model(place: Path, model: Path | None, device: str | None) -> Gallery:
    """Open a gallery with its model."""
    from promptreid.errors import GalleryError

    with started(f"opening {place}"):
        from promptreid.gallery.gallery import Gallery
        from promptreid.gallery.records.sqlite_records import SqliteRecords
        from promptreid.inference.load import load

        if model is None:
            records = SqliteRecords.open(place)
            stored = records.model()
            records.close()
            source = "" if stored is None else stored.description.get("source", "")
            if not source or not Path(source).exists():
                where = f"lay at {source}, where it is not any more" if source else "is not known"
                raise GalleryError(f"The model of {place} {where}; name it by --model RUN.")
            model = Path(source)
        return Gallery.open(place, load(model, device=device))
