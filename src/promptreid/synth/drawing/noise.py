"""Smooth random fields, and textures looked up between their pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image

from promptreid.synth.drawing.fields import Array, Point


def noise_between_nodes(
    rng: np.random.Generator,
    shape: tuple[int, int],
    nodes: tuple[int, int],
    *,
    deviation: float = 1.0,
) -> Array:
    """Draw a random number at each node of a grid, and interpolate smoothly between them.

    Args:
        rng: Where the randomness comes from.
        shape: (height, width) of the result.
        nodes: Rows and columns of the grid.
        deviation: Standard deviation at the nodes; between them it is about three quarters of it.
    """
    grid = rng.standard_normal(nodes, dtype=np.float32)
    image = Image.fromarray(grid).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32) * np.float32(deviation)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: Point) -> Array:
    """Draw a smooth random field with unit variance at the grid nodes.

    Args:
        rng: Where the randomness comes from.
        shape: (height, width) of the result.
        cells: Number of independent cells down and across.
    """
    return noise_between_nodes(
        rng, shape, (max(2, round(cells[0])) + 1, max(2, round(cells[1])) + 1)
    )


def fractal_noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: Point, *, octaves: int = 3
) -> Array:
    """Sum `octaves` smooth fields, each twice as fine and half as strong as the one before."""
    total = np.zeros(shape, dtype=np.float32)
    for octave in range(octaves):
        scale = 2.0**octave
        field = smooth_noise(rng, shape, (cells[0] * scale, cells[1] * scale))
        total += field * np.float32(1.0 / scale)
    return total


def sample_bilinear(texture: Array, rows: Array, columns: Array) -> Array:
    """Look up a texture between its pixels, clamped at its border.

    Args:
        texture: (height, width, channels).
        rows: (n,) vertical positions in texture pixels.
        columns: (n,) horizontal positions.

    Returns:
        (n, channels).
    """
    height, width, channels = texture.shape
    rows = np.clip(rows, 0.0, height - 1.001)
    columns = np.clip(columns, 0.0, width - 1.001)
    top, left = rows.astype(np.int32), columns.astype(np.int32)
    down = (rows - top)[:, None]
    right = (columns - left)[:, None]
    flat = texture.reshape(-1, channels)
    corner = top * width + left
    upper = flat.take(corner, axis=0)
    upper += (flat.take(corner + 1, axis=0) - upper) * right
    corner += width
    lower = flat.take(corner, axis=0)
    lower += (flat.take(corner + 1, axis=0) - lower) * right
    return upper + (lower - upper) * down
