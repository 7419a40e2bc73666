"""Opening what is searched: a gallery, or a plain folder of pictures, with a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from promptreid.cli.gallery_model import open_with_model
from promptreid.cli.output import reporter, started
from promptreid.gallery.records.gallery_url import SCHEMES, GalleryUrl, parse_gallery_url

if TYPE_CHECKING:
    from promptreid.gallery.gallery import Gallery
    from promptreid.inference.embedder import Embedder

SHIPPED = "the small model that comes with promptreid"
"""Where the model lies that is taken when none is named."""


@dataclass(frozen=True, eq=False)
class SearchedPlace:
    """What is searched.

    Attributes:
        place: As it was given.
        gallery: The gallery, or the one that stands for a folder.
        named: Whether it knows whom its pictures show.
        root: Folder that the paths of its pictures are written from; None for a gallery.
        shipped_model: Whether the model is the one that comes with the package.
        notes: Sentences on what was left out.
    """

    place: str
    gallery: Gallery
    named: bool = True
    root: Path | None = None
    shipped_model: bool = False
    notes: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Say in capitals what those who can be found are."""
        return "ENROLLED" if self.root is None else "THERE"

    def name_picture(self, entry: int) -> str:
        """Name the picture of an entry, within its folder where there is one; empty for none."""
        path = self.gallery.picture(entry).path
        if path is None:
            return ""
        if self.root is not None and Path(path).is_relative_to(self.root):
            return str(Path(path).relative_to(self.root))
        return path

    @property
    def remarks(self) -> list[str]:
        """Sentences that belong beside every answer."""
        remarks = []
        if not self.named:
            remarks.append(
                "Nobody has said whom these pictures show, so whether it is somebody else cannot "
                "be decided. Put each person's pictures in a folder of their own for an answer."
            )
        if self.shipped_model:
            remarks.append(
                f"Compared by {SHIPPED}, which never saw a photograph: take it as a first look. "
                "Train one on such pictures (promptreid train clip-reid/tiny --data "
                "folder:/path/to/folders --out runs/mine) and name it by --model runs/mine."
            )
        return remarks


def open_place(
    place: str, model: Path | None, device: str | None, *, keep: bool = True
) -> SearchedPlace:
    """Open a gallery, or bring the gallery of a folder or data spec up to date.

    Args:
        place: A gallery, a folder of pictures, or a data spec.
        model: A run or checkpoint; None for the gallery's model, or the one that is shipped.
        device: Where the model computes.
        keep: Whether what is embedded of a folder is kept for the next time.
    """
    url = _find_gallery(place)
    if url is not None:
        return SearchedPlace(str(url), open_with_model(url, model, device))
    with started(f"reading {place}"):
        from promptreid.gallery.picture_folders.picture_gallery import open_picture_gallery
        from promptreid.gallery.picture_folders.picture_list import list_pictures
        from promptreid.gallery.picture_folders.search_cache import default_search_cache
        from promptreid.gallery.vector_model import EmbedderModel

        pictures = list_pictures(place)
        source = SHIPPED if model is None else str(model.absolute())
        embedder = EmbedderModel(_load(model, device), source=source)
    cache = default_search_cache() if keep else _temporary_folder()
    opened = open_picture_gallery(pictures, embedder, cache, progress=reporter())
    return SearchedPlace(
        place, opened.gallery, pictures.named, pictures.root, model is None, opened.notes
    )


def _find_gallery(place: str) -> GalleryUrl | None:
    """Read the place of a gallery; None where it is a folder of pictures or a data spec."""
    from promptreid.gallery.records.sqlite.sqlite_schema import FILE

    if place.startswith(SCHEMES):
        return parse_gallery_url(place)
    if "://" in place.partition("?")[0]:
        return None
    url = parse_gallery_url(place)
    return url if url.folder is not None and (url.folder / FILE).is_file() else None


def _load(model: Path | None, device: str | None) -> Embedder:
    from promptreid.inference.load import load

    if model is not None:
        return load(model, device=device)
    from promptreid.config.model import BackboneConfig
    from promptreid.inference.device import pick_device
    from promptreid.models.weights.tiny import NATIVE
    from promptreid.training.run.untrained import build_untrained

    backbone = BackboneConfig(name="tiny", image_size=NATIVE.image_size)
    return build_untrained(backbone, device=pick_device(device))


def _temporary_folder() -> Path:
    """Make a folder that is removed when the command ends."""
    import tempfile

    import click

    folder = tempfile.TemporaryDirectory(prefix="promptreid-")
    return Path(click.get_current_context().with_resource(folder))
