"""What a gallery needs of a model: vectors of images, and what tells it from other models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from promptreid.data.images.boxes import ImageSource
from promptreid.errors import GalleryError
from promptreid.gallery.gallery_errors import ModelSwitchedError
from promptreid.gallery.records.record_rows import ModelRow

if TYPE_CHECKING:
    from promptreid.evaluation.thresholds.threshold import Threshold

Pixels = Path | ImageSource | Image.Image | np.ndarray

VIEW = "view"
"""Attribute of an entry that keeps the view of its image."""


@dataclass(frozen=True, eq=False)
class GalleryImage:
    """An image, and what is known of it beside who it shows.

    Attributes:
        pixels: An image file, a part of one, a Pillow image, or an array (H, W, 3).
        camera: Name of the camera, None where unknown.
        view: Name of the view, which some models read.
        time: When it was taken, in seconds since 1970 (UTC).
        domain: Where it comes from.
        attributes: Free attributes, some of which some models read.
        file: Content of the image file that the pixels were decoded from, which is enrolled as it
            is; None for pixels that came in another way.
    """

    pixels: Pixels
    camera: str | None = None
    view: str | None = None
    time: float | None = None
    domain: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    file: bytes | None = None


def as_image(image: GalleryImage | Pixels | str) -> GalleryImage:
    """Return an image as such, of which nothing is known beside it where only it was given."""
    if isinstance(image, GalleryImage):
        return image
    return GalleryImage(Path(image) if isinstance(image, str) else image)


class VectorModel(Protocol):
    """Turns images into vectors of length 1."""

    @property
    def fingerprint(self) -> str:
        """What its vectors depend on, as a digest."""
        ...

    @property
    def width(self) -> int:
        """Length of a vector."""
        ...

    @property
    def description(self) -> Mapping[str, Any]:
        """What it is, for people."""
        ...

    def vectors(self, images: Sequence[GalleryImage]) -> NDArray[np.float32]:
        """Return (N, width) rows of length 1.

        Raises:
            UnreadableImage: An image cannot be decoded.
        """
        ...

    def both_vectors(
        self, images: Sequence[GalleryImage]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return what `vectors` does, and (N, text width) rows of length 1 for sentences.

        The latter are None where the model has no text side, or where its vectors compare with
        sentences themselves.

        Raises:
            UnreadableImage: An image cannot be decoded.
        """
        ...

    def sentence_vectors(
        self, sentences: Sequence[str], templates: Sequence[str] = ()
    ) -> NDArray[np.float32]:
        """Return (N, text width) rows of length 1; see `encode_queries`.

        Raises:
            WeightsError: The model has no text side.
            ConfigError: A sentence is empty or too long, or a template lacks `{text}`.
        """
        ...

    @property
    def text_width(self) -> int | None:
        """Length of the further vector for sentences; None where there is none."""
        ...

    @property
    def text_remark(self) -> str:
        """How far sentences can be trusted, as a sentence; empty where they can."""
        ...

    @property
    def threshold(self) -> Threshold | None:
        """From which score on two images show one identity, as training stored it."""
        ...


def describe_model(model: VectorModel) -> ModelRow:
    """Describe a model as the records keep it."""
    return ModelRow(model.fingerprint, model.width, model.description, model.text_width)


def check_model(model: VectorModel, stored: ModelRow | None, *, place: str) -> None:
    """Refuse a model that did not make the vectors which a gallery holds.

    Raises:
        GalleryError: It is another one; both fingerprints are named.
    """
    if stored is None or stored.fingerprint == model.fingerprint:
        return
    first, second = (
        f"{one.fingerprint[:16]} ({one.description.get('source') or 'no place known'})"
        for one in (stored, model)
    )
    raise GalleryError(
        f"{place} holds vectors of the model {first}, but the model given is {second}. Vectors of "
        "two models do not compare: use the first, create another gallery for the second, or "
        f"change the model: promptreid gallery reembed {place} --model RUN."
    )


def check_still_searched(place: str, model: VectorModel, stored: ModelRow | None) -> None:
    """Refuse to go on with a model that is not searched any more.

    Raises:
        ModelSwitchedError: Somebody has changed the model since the gallery was opened.
    """
    if stored is not None and stored.fingerprint != model.fingerprint:
        source = stored.description.get("source") or "no place known"
        raise ModelSwitchedError(
            f"{place} was opened with the model {model.fingerprint[:16]} and searches vectors of "
            f"{stored.fingerprint[:16]} ({source}) by now. Open it again with that one."
        )
