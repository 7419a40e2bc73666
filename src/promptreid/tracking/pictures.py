"""Turn what figures are made of into pixels that every tracker takes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from promptreid.tracking.tracker import Pixels


def picture_pixels(picture: Any) -> Pixels:
    """Draw a picture as (H, W, 3) uint8 RGB.

    Args:
        picture: A matplotlib figure, a PIL image, or an array (H, W), (H, W, 3) or (H, W, 4) of
            uint8 or of floats from 0 to 1. What is transparent becomes white.

    Raises:
        ValueError: An array of another shape.
    """
    if callable(getattr(picture, "savefig", None)):
        drawn = io.BytesIO()
        picture.savefig(drawn, format="png", facecolor="white")
        picture = Image.open(drawn)
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(_bytes(np.asarray(picture)))
    if picture.mode in ("RGBA", "LA", "PA", "P"):
        layered = picture.convert("RGBA")
        paper = Image.new("RGBA", layered.size, "white")
        picture = Image.alpha_composite(paper, layered)
    return np.array(picture.convert("RGB"), dtype=np.uint8)


def _bytes(array: np.ndarray) -> Pixels:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ValueError(f"a picture is (H, W), (H, W, 3) or (H, W, 4), not {array.shape}")
    if array.dtype == np.uint8:
        return array
    return (np.clip(array.astype(np.float64), 0, 1) * 255).round().astype(np.uint8)
