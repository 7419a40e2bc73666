"""Photographs as figures show them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from promptreid.data.images.boxes import ImageSource
from promptreid.data.images.decode import read_image, to_uint8
from promptreid.data.images.transforms import resize

_TILES = 10
"""Tiles along the longer side of a mosaic: a face in a picture of a person gets two or three."""

Picture = NDArray[np.uint8]


def read_picture(
    source: Path | ImageSource | Image.Image | np.ndarray, *, longest: int, pixelate: bool = False
) -> Picture:
    """Read a photograph in its own proportions.

    Args:
        source: The file, with the part of it that is meant; or a picture in memory.
        longest: Its longer side is no more than this many pixels afterwards.
        pixelate: Turn it into a coarse mosaic, before anything is drawn or stored.

    Returns:
        (H, W, 3) RGB.

    Raises:
        UnreadableImage: It cannot be decoded.
    """
    is_file = isinstance(source, Path | ImageSource)
    pixels = read_image(source) if is_file else to_uint8(source)
    return shrink_picture(pixels, longest=longest, pixelate=pixelate)


def shrink_picture(image: torch.Tensor, *, longest: int, pixelate: bool = False) -> Picture:
    """Turn decoded pixels, (3, H, W) uint8, into a picture, as `read_picture` does."""
    height, width = image.shape[1:]
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    picture = resize(image, size, "bilinear").permute(1, 2, 0).numpy()
    return mosaic(picture) if pixelate else picture


def mosaic(picture: Picture, tiles: int = _TILES) -> Picture:
    """Replace each square tile of a picture, (H, W, 3), by its mean colour.

    So many tiles lie along its longer side. Faces cannot be recognised then, but colours and the
    outline of a person remain.
    """
    height, width = picture.shape[:2]
    side = max(height, width) / tiles
    grid = max(1, round(height / side)), max(1, round(width / side))
    pixels = torch.tensor(picture).permute(2, 0, 1)[None].double()
    means = torch.nn.functional.adaptive_avg_pool2d(pixels, grid)
    rows = np.arange(height) * grid[0] // height
    columns = np.arange(width) * grid[1] // width
    small = means[0].round().to(torch.uint8).permute(1, 2, 0).numpy()
    return small[rows][:, columns]
