"""What a camera does to the light that reaches it."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from promptreid.synth.drawing.fields import Array


@dataclass(frozen=True)
class Look:
    """What a camera does to the light that reaches it.

    Attributes:
        gains: Factor per colour channel (white balance and colour of the light).
        exposure: Factor on all channels.
        contrast: Slope around mid-grey; 1 keeps the picture.
        vignette: Share of the light lost in the corners.
        softness: Blur in pixels of the finished picture.
        grain: Standard deviation of the sensor noise, of full scale.
        quality: JPEG quality of the round trip.
    """

    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    exposure: float = 1.0
    contrast: float = 1.0
    vignette: float = 0.0
    softness: float = 0.0
    grain: float = 0.0
    quality: int = 95


def develop(
    light: Array, look: Look, rng: np.random.Generator, *, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Turn light into the picture a camera would store.

    Args:
        light: (h, w, 3), 1 is white before exposure.
        look: The camera's settings and faults.
        rng: Draws the grain.
        size: (height, width) of the picture, usually smaller than `light`.

    Returns:
        (height, width, 3) in 0..255.
    """
    height, width = light.shape[:2]
    gains = np.asarray(look.gains, dtype=np.float32) * np.float32(look.exposure * look.contrast)
    image = light * gains
    image += np.float32(0.5 * (1.0 - look.contrast))
    if look.vignette > 0:
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        image *= (1.0 - np.float32(look.vignette * 0.5) * (x * x + y * y))[..., None]
    np.clip(image, 0.0, 1.0, out=image)
    image *= np.float32(255)
    picture = Image.fromarray(image.astype(np.uint8))
    if picture.size != (size[1], size[0]):
        picture = picture.resize((size[1], size[0]), Image.Resampling.BOX)
    if look.softness > 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(look.softness))
    if look.grain > 0:
        noisy = np.asarray(picture, dtype=np.float32)
        noise = rng.standard_normal((size[0], size[1], 1), dtype=np.float32)
        noisy = noisy + noise * np.float32(look.grain * 255)
        picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    if look.quality < 95:
        stored = io.BytesIO()
        picture.save(stored, "JPEG", quality=look.quality)
        picture = Image.open(io.BytesIO(stored.getvalue())).convert("RGB")
    return np.asarray(picture).copy()
