"""A model for galleries of tests: vectors come from the pixels by a fixed projection."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from promptreid.data.images.boxes import ImageSource
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_settings import GallerySettings
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.gallery.searching.aggregate import Aggregate

WIDTH = 32
SIZE = 8


class PixelModel:
    """Projects the pixels of pictures (8, 8, 3) onto fixed random directions."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.fingerprint = f"{seed:064x}"
        self.width = WIDTH
        self.description = {"source": f"pixels {seed}"}
        self.threshold = None
        self._projection = rng.normal(size=(SIZE * SIZE * 3, WIDTH))
        self.text_width = None
        self.text_remark = ""

    def vectors(self, images):
        """Return (N, 32) rows of length 1."""
        pixels = np.stack([_open(image.pixels).astype(np.float64).ravel() for image in images])
        vectors = (pixels - 127.5) @ self._projection
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def both_vectors(self, images):
        """Return the same, and no vectors for sentences."""
        return self.vectors(images), None

    def sentence_vectors(self, sentences, templates=()):
        """Return rows that hang on the letters alone, of the length of vectors for sentences."""
        width = self.text_width or self.width
        rows = [
            np.random.default_rng(list("|".join([sentence, *templates]).encode())).normal(
                size=width
            )
            for sentence in sentences
        ]
        return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)


def _open(pixels):
    """Return pixels (8, 8, 3) that are in memory or in a file."""
    if isinstance(pixels, Path):
        pixels = ImageSource(pixels)
    if isinstance(pixels, ImageSource):
        pixels = Image.open(io.BytesIO(pixels.read()))
    return np.asarray(pixels)


class TextPixelModel(PixelModel):
    """Has vectors for sentences beside the others: 16 other random directions of the pixels."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.text_width = 16
        self.text_remark = "never tuned"
        self._for_texts = PixelModel(seed + 1000)

    def both_vectors(self, images):
        """Return (N, 32) and (N, 16) rows of length 1."""
        texts = self._for_texts.vectors(images)[:, :16]
        return self.vectors(images), texts / np.linalg.norm(texts, axis=1, keepdims=True)


def draw_people(people: int, images: int, *, seed: int = 0, families: int = 1, noise: float = 40):
    """Return images (people * images of (8, 8, 3) uint8) and names.

    People of a family of so many look alike.
    """
    rng = np.random.default_rng(seed)
    parents = rng.normal(0, 60, (people // families + 1, SIZE, SIZE, 3))
    pictures, names = [], []
    for person in range(people):
        face = 127 + parents[person // families] + rng.normal(0, 30, parents[0].shape)
        for _ in range(images):
            seen = face + rng.normal(0, noise, face.shape)
            pictures.append(np.clip(seen, 0, 255).astype(np.uint8))
            names.append(f"person {person}")
    return pictures, names


def make_gallery(
    folder: Path,
    *,
    aggregate: str = "best",
    keep: str = "crops",
    rate: float = 0.05,
    seed: int = 0,
):
    """Create a gallery of a pixel model."""
    settings = GallerySettings(Aggregate.parse(aggregate), keep, rate)
    return Gallery(SqliteRecords.create(folder, settings.to_texts()), PixelModel(seed))


def open_gallery(folder: Path, seed: int = 0):
    """Open a gallery with its pixel model."""
    return Gallery(SqliteRecords.open(folder), PixelModel(seed))
