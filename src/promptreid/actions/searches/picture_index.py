"""Pictures that can be searched: a gallery, or a folder whose vectors are kept up to date."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from promptreid.actions.gallery_models import ModelPlace, load_for, open_gallery
from promptreid.actions.searches.found_pictures import FoundPictures
from promptreid.actions.searches.search_checks import (
    check_is_file,
    check_is_picture,
    check_search,
)
from promptreid.actions.searches.search_found import SearchRequest, find_pictures
from promptreid.actions.searches.searched_place import SHIPPED, SearchedPlace
from promptreid.config.model import BackboneConfig
from promptreid.errors import ConfigError
from promptreid.gallery.embedder_model import EmbedderModel
from promptreid.gallery.picture_folders.picture_gallery import open_picture_gallery
from promptreid.gallery.picture_folders.picture_list import list_pictures
from promptreid.gallery.picture_folders.search_cache import default_search_cache
from promptreid.gallery.records.gallery_url import SCHEMES, GalleryUrl, parse_gallery_url
from promptreid.gallery.records.sqlite.sqlite_schema import FILE
from promptreid.gallery.searching.filters import Filters, parse_time
from promptreid.gallery.vector_model import GalleryImage, Pixels
from promptreid.inference.device import pick_device
from promptreid.inference.embedder import Embedder
from promptreid.models.weights.tiny import NATIVE
from promptreid.progress import Lines, Progress
from promptreid.text.lists import counted, list_words
from promptreid.training.run.untrained import build_untrained


@dataclass(frozen=True, eq=False, repr=False)
class PictureIndex(SearchedPlace):
    """Pictures with their vectors, ready to be searched; `Model.index` and `search` open one.

    Attributes:
        temporary: Folder of the vectors that goes with this object; None where they are kept.
    """

    temporary: tempfile.TemporaryDirectory[str] | None = field(default=None, kw_only=True)

    @classmethod
    def open(
        cls,
        place: str | os.PathLike[str],
        model: ModelPlace | None = None,
        *,
        device: str | None = None,
        keep: bool = True,
        progress: Progress | None = None,
    ) -> Self:
        """Open a gallery, or bring the vectors of a folder or data spec up to date.

        Args:
            place: A gallery; a folder with one folder of pictures for each person, or with loose
                pictures; or a data spec.
            model: A run, a checkpoint or a loaded model; None for the gallery's model, or for the
                small one that comes with the package.
            device: Where the model computes, where it is loaded; None for the best there is.
            keep: Whether what is embedded of a folder is kept for the next time, in the user's
                cache.
            progress: Where to report; None for lines on standard error.

        Raises:
            GalleryError: It is nothing that can be searched, or no picture can be read.
            DataError: A data set is not there or cannot be used.
            WeightsError: The model cannot be loaded.
        """
        place, progress = os.fspath(place), progress or Lines()
        url = _find_gallery(place)
        if url is not None:
            with progress.doing(f"opening {url}"):
                opened = open_gallery(url, model, device=device, progress=progress)
                return cls(str(url), opened)
        with progress.doing(f"reading {place}"):
            pictures = list_pictures(place)
        with progress.doing("loading the model"):
            embedder = _load_shipped(device) if model is None else load_for(model, device=device)
        found_at = embedder.source
        source = SHIPPED if model is None else str(found_at.absolute()) if found_at else ""
        temporary = None if keep else tempfile.TemporaryDirectory(prefix="promptreid-")
        cache = default_search_cache() if temporary is None else Path(temporary.name)
        vectors = EmbedderModel(embedder, source=source)
        opened = open_picture_gallery(pictures, vectors, cache, progress=progress)
        return cls(
            place,
            opened.gallery,
            pictures.named,
            pictures.root,
            model is None,
            opened.notes,
            temporary=temporary,
        )

    def search(
        self,
        *images: GalleryImage | Pixels | str,
        text: str | None = None,
        templates: str | Collection[str] = (),
        weight: float = 0.5,
        pictures: bool = False,
        rerank: bool = False,
        top: int = 5,
        rate: float | None = None,
        query_camera: str | None = None,
        other_cameras: bool = False,
        identities: str | Collection[str] = (),
        cameras: str | Collection[str] = (),
        domains: str | Collection[str] = (),
        since: str | float | None = None,
        until: str | float | None = None,
        attributes: Mapping[str, str | Collection[str]] | None = None,
        neighbours: bool = False,
    ) -> FoundPictures:
        """Say who each picture shows, or nobody, and how sure that is.

        The arguments are the options of `promptreid search`.

        Args:
            images: Paths, Pillow images or (H, W, 3) arrays.
            text: A sentence that is looked for, beside each image or alone.
            templates: Sentences with `{text}` in the place of it; of several the mean counts.
            weight: Share of the sentence beside an image.
            pictures: Rank pictures one by one, not people; whether it is nobody is not decided.
            rerank: Put these into the order of k-reciprocal re-ranking.
            top: Candidates, or pictures, that are named.
            rate: The part of strangers that may be accepted; None for the gallery's.
            query_camera: The camera that took these images.
            other_cameras: Leave out images of that camera.
            identities: Look only among these; all where there are none, as for the next ones.
            cameras: Look only among images of these.
            domains: Look only among images of these.
            since: Look only among images from this time on, ISO 8601 or seconds since 1970.
            until: Look only among images up to this time.
            attributes: Look only among images with one of these values of each attribute.
            neighbours: Also find the pictures that are most alike, for the page.

        Returns:
            What was found for each image, in order; `print` it or `show()` it.

        Raises:
            ConfigError: Nothing is asked for, or two arguments exclude each other.
            DataError: An image is not there.
            GalleryError: Nobody is enrolled, a filter names nobody who is, or the rate is none.
            WeightsError: There is a sentence, and the model has no text side.
        """
        queries = [_as_query(image, query_camera) for image in images]
        templates = list_words(templates)
        check_search(
            any_image=bool(queries), text=text, templates=templates, pictures=pictures,
            rerank=rerank, query_camera=query_camera, other_cameras=other_cameras,
        )  # fmt: skip
        if rerank and not pictures and self.named:
            raise ConfigError("rerank orders pictures; ask for pictures with it (--pictures).")
        filters = Filters(
            identities=list_words(identities) or None,
            cameras=list_words(cameras) or None,
            domains=list_words(domains) or None,
            since=None if since is None else parse_time(str(since)),
            until=None if until is None else parse_time(str(until)),
            attributes={name: list_words(values) for name, values in (attributes or {}).items()},
            other_cameras=other_cameras,
        )
        request = SearchRequest(
            top,
            filters,
            rate,
            text,
            templates,
            weight,
            neighbours=neighbours,
            pictures=pictures or not self.named,
            rerank=rerank,
        )
        return FoundPictures(self, tuple(find_pictures(self, queries, request)), top)

    def __repr__(self) -> str:
        facts = self.gallery.info()
        people = counted(facts.identities, "identity", "identities")
        who = f" of {people}" if self.named else ""
        return f"PictureIndex({counted(facts.entries, 'picture')}{who} in {self.place})"

    def close(self) -> None:
        """Let go of the pictures and of what is not kept."""
        self.gallery.close()
        if self.temporary is not None:
            self.temporary.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def search(
    place: str | os.PathLike[str],
    *images: GalleryImage | Pixels | str,
    model: ModelPlace | None = None,
    device: str | None = None,
    keep: bool = True,
    progress: Progress | None = None,
    **asked: Any,
) -> FoundPictures:
    """Say who of a folder or gallery each picture shows, or nobody, and how sure that is.

    Args:
        place: What is searched, as `PictureIndex.open` takes it.
        images: Paths, Pillow images or arrays.
        model: A run, a checkpoint or a loaded model, as there.
        device: Where the model computes, where it is loaded; None for the best there is.
        keep: Whether what is embedded of a folder is kept for the next time.
        progress: Where to report; None for lines on standard error.
        asked: What else `PictureIndex.search` takes, such as `top=10` or `text="a red coat"`.

    Returns:
        What was found for each image; `print` it, or `show()` it in a notebook.

    Raises:
        PromptReIDError: As for `PictureIndex.open` and `PictureIndex.search`.

    Example:
        >>> found = search("photos", "photos/000/0.png", model="runs/mine", top=3)
        >>> found[0].answer.candidates[0].identity
        '000'
    """
    for image in images:
        if isinstance(image, str | Path):
            check_is_file(Path(image))
            check_is_picture(Path(image))
    index = PictureIndex.open(place, model, device=device, keep=keep, progress=progress)
    try:
        return index.search(*images, **asked)
    except BaseException:
        index.close()  # what was found needs it open, and nothing was
        raise


def _as_query(image: GalleryImage | Pixels | str, camera: str | None) -> GalleryImage:
    """Take an image with what is known of it."""
    if isinstance(image, GalleryImage):
        return image
    pixels = Path(image) if isinstance(image, str) else image
    if isinstance(pixels, Path):
        check_is_file(pixels)
    return GalleryImage(pixels, camera=camera)


def _find_gallery(place: str) -> GalleryUrl | None:
    """Read the place of a gallery; None where it is a folder of pictures or a data spec."""
    if place.startswith(SCHEMES):
        return parse_gallery_url(place)
    if "://" in place.partition("?")[0]:
        return None
    url = parse_gallery_url(place)
    return url if url.folder is not None and (url.folder / FILE).is_file() else None


def _load_shipped(device: str | None) -> Embedder:
    backbone = BackboneConfig(name="tiny", image_size=NATIVE.image_size)
    return build_untrained(backbone, device=pick_device(device))
