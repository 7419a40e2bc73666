"""Creating and opening galleries, each with the model that makes its vectors."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from promptreid.errors import GalleryError
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_settings import GallerySettings
from promptreid.gallery.records.gallery_url import GalleryUrl, parse_gallery_url
from promptreid.gallery.records.open_records import open_records
from promptreid.gallery.searching.aggregate import Aggregate
from promptreid.inference.embedder import Embedder
from promptreid.inference.load import load
from promptreid.progress import Progress

ModelPlace = str | os.PathLike[str] | Embedder
"""A run, a checkpoint, or a model that is loaded."""


def open_gallery(
    place: str | Path | GalleryUrl,
    model: ModelPlace | None = None,
    *,
    device: str | None = None,
    progress: Progress | None = None,
) -> Gallery:
    """Open a gallery with its model, ready to enrol and to search.

    Args:
        place: A folder, or the URL of a database as in `Gallery.create`.
        model: A run, a checkpoint or a loaded model; None for the place where the model lay when
            the gallery was created.
        device: Where the model computes, where it is loaded; None for the best there is.
        progress: Told of an index of many entries while it is made.

    Raises:
        GalleryError: There is no gallery, its model is not where it was, or it is another one.
        WeightsError: The model cannot be loaded.

    Example:
        >>> gallery = open_gallery("people.gallery", "runs/mine", device="cpu")
        >>> gallery.search(["photos/000/0.png"])[0].candidates[0].identity
        '000'
    """
    url = parse_gallery_url(place)
    embedder = load_for(model or find_model(url), device=device)
    return Gallery.open(url, embedder, progress=progress)


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


def create_gallery(
    place: str | Path | GalleryUrl,
    model: ModelPlace,
    *,
    aggregate: str = "best",
    keep: str = "crops",
    rate: float = 0.05,
    audit: str = "service",
    device: str | None = None,
) -> Gallery:
    """Make an empty gallery for the vectors of a model; `enrol` puts people into it.

    The arguments are the options of `promptreid gallery create`.

    Args:
        place: A folder that is empty or not there, or the URL of a database as in `Gallery.create`.
        model: A run, a checkpoint or a loaded model.
        aggregate: How an identity's images become one score: "best", "mean-of-K" or "mean-vector".
        keep: "crops" keeps the images themselves, "paths" only where they lie.
        rate: The part of strangers that may be taken for somebody.
        audit: "service" writes down the uses of a service's clients, "always" all uses, "never"
            none.
        device: Where the model computes, where it is loaded; None for the best there is.

    Raises:
        GalleryError: The place holds something or cannot be reached, or a choice is none.
        WeightsError: The model cannot be loaded.

    Example:
        >>> gallery = create_gallery("visitors.gallery", "runs/mine", rate=0.2, device="cpu")
        >>> gallery.info().entries
        0
    """
    settings = GallerySettings(Aggregate.parse(aggregate), keep, rate, audit)
    named = not isinstance(model, Embedder) and Path(model).exists()
    source = str(Path(os.fspath(model)).absolute()) if named else ""
    embedder = load_for(model, device=device)
    return Gallery.create(place, embedder, source=source, settings=settings)
