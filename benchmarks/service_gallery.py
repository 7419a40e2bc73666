"""A gallery of drawn vectors, of any size, whose model is `tiny` as it is shipped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from promptreid.gallery.gallery import Gallery
from promptreid.gallery.records.record_rows import NewEntry
from promptreid.inference.load import load

NAME = "load.gallery"
IMAGES = 10
"""Entries of each identity."""

FEATURES = {128: "[projected]", 512: "[penultimate, final, projected]"}
"""Features of `tiny` that are one vector, by its width."""


def make_gallery(folder: Path, entries: int, *, width: int = 128, seed: int = 0) -> Path:
    """Train nothing, draw the vectors of so many entries, and enrol them.

    Images of an identity are alike, as with a model that was trained.

    Args:
        folder: Where the model and the gallery go.
        entries: Number of entries, `IMAGES` of each identity.
        width: Numbers of a vector, one of `FEATURES`.
        seed: What vectors are drawn from.
    """
    run = _make_run(folder, width)
    embedder = load(run, device="cpu")
    place = folder / NAME
    gallery = Gallery.create(place, embedder, source=str(run))
    rng = np.random.default_rng(seed)
    with gallery.records.writing():
        for start in range(0, entries, 10 * IMAGES):
            centres = rng.normal(size=(10, 1, embedder.width))
            noise = rng.normal(size=(10, IMAGES, embedder.width))
            drawn = (centres + 0.7 * noise).reshape(10 * IMAGES, -1)
            drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
            gallery.records.add(
                [
                    NewEntry(
                        content_hash=rng.bytes(32).hex(),
                        identity=f"person {(start + row) // IMAGES}",
                        camera=f"camera {row % 5}",
                        time=None,
                        domain="",
                        attributes={},
                        crop=None,
                        path=f"/nowhere/{start + row}.jpg",
                        box="",
                        vector=vector.astype(np.float32),
                    )
                    for row, vector in enumerate(drawn[: entries - start])
                ]
            )
    gallery.mend()
    gallery.close()
    return place


def _make_run(folder: Path, width: int) -> Path:
    """Make a run of `tiny` as it is shipped, for pictures of 128 x 64 pixels."""
    rng = np.random.default_rng(1)
    for person in range(4):
        (folder / "crops" / f"{person}").mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (128, 64, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "crops" / f"{person}" / f"{number}.png")
    settings = ["backbone.name=tiny", "backbone.image_size=[128, 64]"]
    settings.append(f"embedding.features={FEATURES[width]}")
    data = ["--data", f"folder:{folder / 'crops'}", "--out", str(folder / "run")]
    command = ["train", "zero-shot", *settings, *data, "--device", "cpu"]
    subprocess.run([sys.executable, "-m", "promptreid", *command], check=True, capture_output=True)
    return folder / "run"
