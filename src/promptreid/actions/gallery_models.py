"""Opening galleries, each with the model that made its vectors."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from promptreid.errors import GalleryError
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.records.gallery_url import GalleryUrl, parse_gallery_url
from promptreid.gallery.records.open_records import open_records
from promptreid.inference.embedder import Embedder
from promptreid.inference.load import load

ModelPlace = str | os.PathLike[str] | Embedder
"""A run, a checkpoint, or a model that is loaded."""


def open_gallery(
    place: str | Path | GalleryUrl,
    model: ModelPlace | None = None,
    *,
    device: str | None = None,
) -> Gallery:
    """Open a gallery with its model, ready to enrol and to search.

    Args:
        place: A folder, or the URL of a database as in `Gallery.create`.
        model: A run, a checkpoint or a loaded model; None for the place where the model lay when
            the gallery was created.
        device: Where the model computes, where it is loaded; None for the best there is.

    Raises:
        GalleryError: There is no gallery, its model is not where it was, or it is another one.
        WeightsError: The model cannot be loaded.

    Example:
        >>> gallery = open_gallery("people.gallery", "runs/mine", device="cpu")
        >>> gallery.search(["photos/000/0.png"])[0].candidates[0].identity
        '000'
    """
    url = parse_gallery_url(place)
    return Gallery.open(url, load_for(model or find_model(url), device=device))


def find_model(place: GalleryUrl) -> Path:
    """Return where the model of a gallery lay when the gallery was created.

    Raises:
        GalleryError: There is no gallery, or its model is not where it was.
    """
    with contextlib.closing(open_records(place)) as records:
        stored = records.model()
    source = "" if stored is None else stored.description.get("source", "")
    if not source or not Path(source).exists():
        where = f"lay at {source}, where it is not any more" if source else "is not known"
        raise GalleryError(f"The model of {place} {where}; name it by --model RUN.")
    return Path(source)


def load_for(model: ModelPlace, *, device: str | None) -> Embedder:
    """Load a model that is not loaded yet.

    Raises:
        WeightsError: There is none, or it cannot be read.
    """
    return model if isinstance(model, Embedder) else load(os.fspath(model), device=device)
