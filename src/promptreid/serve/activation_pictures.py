"""Where a model looks in one picture, as a picture."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.transforms import normalize
from promptreid.errors import ModelError
from promptreid.figures.activation.draw_activation import activation_maps, patch_shares
from promptreid.figures.activation.map_kinds import ModelInput
from promptreid.figures.activation.overlay import MapRow, blend, colour_scale
from promptreid.inference.embedder import Embedder

_LONGEST_SIDE = 512
_STOPS = np.array(
    [(0, 0, 4), (51, 9, 92), (120, 28, 109), (187, 55, 84), (237, 105, 37), (252, 180, 24),
     (252, 255, 164)]
) / 255  # fmt: skip
"""From dark to bright, so that lightness grows with the value for every eye."""


def draw_activation_picture(embedder: Embedder | None, pixels: NDArray[np.uint8]) -> bytes:
    """Lay the model's activation map over a picture (H, W, 3); return it as PNG.

    Raises:
        ModelError: The model draws none.
    """
    if embedder is None:
        raise ModelError("This service has no model that shows where it looks.")
    image = Image.fromarray(pixels)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    shown = np.asarray(image)
    size, interpolation = embedder.preprocess.image_size, embedder.preprocess.test_interpolation
    store = ImageStore([pixels], size, interpolation, cache=False, disk=None)
    batch = ModelInput(normalize(store.batch([0]).to(embedder.device), embedder.preprocess))
    title, maps = next(iter(activation_maps(embedder.model, batch).items()))
    row = MapRow("model", title, maps, *patch_shares(embedder.model.backbone.image))
    low, high = colour_scale([row])
    values = np.clip((row.over(0, shown.shape[:2]) - low) / (high - low), 0, 1)
    file = io.BytesIO()
    laid = (blend(shown, values, _colour) * 255).round().astype(np.uint8)
    Image.fromarray(laid).save(file, "PNG")
    return file.getvalue()


def _colour(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (H, W, 4) colours of (H, W) values in [0, 1]."""
    places = np.linspace(0, 1, len(_STOPS))
    channels = [np.interp(values, places, _STOPS[:, channel]) for channel in range(3)]
    return np.stack([*channels, np.ones_like(values)], axis=-1)
