"""Patch grids and position embeddings for another image size."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from promptreid.errors import ModelError, WeightsError


def count_patches(image_size: tuple[int, int], *, patch: int, stride: int) -> tuple[int, int]:
    """Count the patches that fit into an image.

    Args:
        image_size: Height and width in pixels.
        patch: Side of a square patch in pixels.
        stride: Step between patches; below `patch` they overlap.

    Returns:
        Rows and columns, `(size - patch) // stride + 1` each.

    Raises:
        ModelError: The image is smaller than a patch, or the stride is not in 1..patch.
    """
    if not 1 <= stride <= patch:
        raise ModelError(
            f"stride is {stride}; for patches of {patch} pixels it must be between 1 and {patch}."
        )
    if min(image_size) < patch:
        raise ModelError(
            f"image_size {image_size[0]}x{image_size[1]} is smaller than one patch of "
            f"{patch}x{patch} pixels. Take larger images."
        )
    rows, columns = ((size - patch) // stride + 1 for size in image_size)
    return rows, columns


def resize_positions(
    positions: Tensor,
    grid: tuple[int, int],
    *,
    old_grid: tuple[int, int] | None = None,
    prefix: int = 1,
) -> Tensor:
    """Resize a position embedding bilinearly, as CLIP-ReID does.

    Bilinear with `align_corners=False` and without antialiasing; the usual bicubic resize gives
    other numbers.

    Args:
        positions: (prefix + h*w, D) embedding; the first `prefix` rows belong to class tokens.
        grid: New rows and columns.
        old_grid: Rows and columns now; None when the grid is square.
        prefix: Rows kept as they are.

    Returns:
        (prefix + rows*columns, D), the input itself when the grid does not change.

    Raises:
        WeightsError: `old_grid` is not given and the number of rows is no square.
    """
    cells = positions.shape[0] - prefix
    if old_grid is None:
        side = math.isqrt(cells)
        if side * side != cells:
            raise WeightsError(
                f"A position embedding of {cells} cells is not a square grid, so its rows and "
                "columns are not known. Give the image_size that these weights were trained with."
            )
        old_grid = (side, side)
    if old_grid == grid:
        return positions
    maps = positions[prefix:].reshape(1, *old_grid, -1).permute(0, 3, 1, 2)
    maps = F.interpolate(maps.float(), size=grid, mode="bilinear", align_corners=False)
    cells_new = maps.permute(0, 2, 3, 1).reshape(grid[0] * grid[1], -1).to(positions.dtype)
    return torch.cat([positions[:prefix], cells_new])
