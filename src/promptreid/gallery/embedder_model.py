"""A trained model as a gallery uses it: vectors of images and of sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from promptreid.data.images.image_store import ImageStore
from promptreid.data.side_information import Side, table_rows
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.gallery.vector_model import GalleryImage
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import SideRows
from promptreid.inference.model_fingerprint import fingerprint_model
from promptreid.inference.text_side import (
    compares_directly,
    describe_tuning,
    embed_for_both,
    encode_queries,
    find_text_width,
)


class EmbedderModel:
    """A trained model as a gallery uses it."""

    def __init__(self, embedder: Embedder, *, source: str = "") -> None:
        """Take a model, and where it lies."""
        self._embedder = embedder
        self.fingerprint = fingerprint_model(embedder)
        self.description = {"source": source, "precision": embedder.precision}

    @property
    def width(self) -> int:
        """Length of a vector."""
        return self._embedder.width

    @property
    def threshold(self) -> Threshold | None:
        """From which score on two images show one identity; None where none was chosen."""
        return self._embedder.threshold

    @property
    def text_width(self) -> int | None:
        """Length of the further vector for sentences; None where there is none."""
        if compares_directly(self._embedder.model):
            return None
        return find_text_width(self._embedder)

    @property
    def text_remark(self) -> str:
        """How far sentences can be trusted; empty where they can."""
        return describe_tuning(self._embedder)

    def vectors(self, images: Sequence[GalleryImage]) -> NDArray[np.float32]:
        """Embed images with all that is known of them; no pixels are kept on disk."""
        vectors = np.empty((len(images), self.width), np.float32)
        for rows in self._group(images):
            store, sides = self._open([images[row] for row in rows])
            vectors[rows] = self._embedder.embed_source(
                store, sides, title="embedding images"
            ).numpy()
        return vectors

    def both_vectors(
        self, images: Sequence[GalleryImage]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Embed images once, for pictures and for sentences to be compared with."""
        width = self.text_width
        if width is None:
            return self.vectors(images), None
        vectors = np.empty((len(images), self.width), np.float32)
        for_texts = np.empty((len(images), width), np.float32)
        for rows in self._group(images):
            pair = embed_for_both(self._embedder, *self._open([images[row] for row in rows]))
            vectors[rows], for_texts[rows] = (one.numpy() for one in pair)
        return vectors, for_texts

    def sentence_vectors(
        self, sentences: Sequence[str], templates: Sequence[str] = ()
    ) -> NDArray[np.float32]:
        """Encode sentences to search for."""
        return encode_queries(self._embedder, sentences, templates).numpy()

    def _group(self, images: Sequence[GalleryImage]) -> list[NDArray[np.intp]]:
        """Group images, since a vector must not depend on what is known of others."""
        described = np.array([self._names_sentence(image) for image in images], bool)
        return [
            rows for rows in (np.flatnonzero(described), np.flatnonzero(~described)) if len(rows)
        ]

    def _open(self, images: Sequence[GalleryImage]) -> tuple[ImageStore, SideRows]:
        """Open images, and find what goes into the model beside them."""
        embedder = self._embedder
        size = embedder.preprocess.image_size
        interpolation = embedder.preprocess.test_interpolation
        pixels = [image.pixels for image in images]
        store = ImageStore(pixels, size, interpolation, cache=False, disk=None)
        return store, self._find_sides(images)

    def _find_sides(self, images: Sequence[GalleryImage]) -> SideRows:
        """Find the rows of the model's tables that go with images."""
        sides, variants = self._embedder.info.sides, None
        views = [
            image.view if sides.attribute is None else image.attributes.get(sides.attribute)
            for image in images
        ]
        prompt = self._embedder.model.image_prompt
        if prompt is not None and self._names_sentence(images[0]):
            columns = {
                name: [image.attributes[name] for image in images] for name in prompt.variants[0]
            }
            variants = prompt.find_variants(columns, images=len(images))
        cameras = [find_camera(image, sides.cameras) for image in images]
        return SideRows.of(
            table_rows(cameras, sides.cameras), table_rows(views, sides.views), variants
        )

    def _names_sentence(self, image: GalleryImage) -> bool:
        """Tell whether an image has the attributes that choose the model's sentence for it."""
        prompt = self._embedder.model.image_prompt
        if prompt is None or len(prompt.variants) < 2:
            return False
        return all(image.attributes.get(name) for name in prompt.variants[0])


def find_camera(image: GalleryImage, table: Sequence[Side]) -> Side | None:
    """Return the entry of a model's table of cameras that an image is of; None where unknown.

    Where the table tells data sets apart, it is that of the image's domain, or the only one that
    has a camera of the name.
    """
    if image.camera in table or (image.domain, image.camera) in table:
        return image.camera if image.camera in table else (image.domain, image.camera or "")
    named = [side for side in table if isinstance(side, tuple) and side[1] == image.camera]
    return named[0] if len(named) == 1 else None
