"""Horizontal stripes of a tower's grid of cells."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from promptreid.errors import ModelError
from promptreid.models.towers.image_tower import ImageTower


def stripe_means(cells: Tensor, grid: tuple[int, int], stripes: int) -> Tensor:
    """Average horizontal stripes of a grid of cells.

    Stripe i of S has the rows from floor(i R / S) up to floor((i + 1) R / S) of R rows, so every
    row belongs to exactly one stripe and the stripes' heights differ by at most one row.

    Args:
        cells: (B, R*columns, D) in reading order.
        grid: Rows and columns, at least as many rows as stripes.
        stripes: Number of stripes.

    Returns:
        (B, stripes, D), from the top.
    """
    rows = grid[0]
    by_row = cells.unflatten(1, grid)
    bounds = [number * rows // stripes for number in range(stripes + 1)]
    means = [by_row[:, top:end].mean(dim=(1, 2)) for top, end in pairwise(bounds)]
    return torch.stack(means, dim=1)


def check_rows(tower: ImageTower, stripes: int) -> None:
    """Raise `ModelError` when a tower's grid has fewer rows than stripes."""
    rows, columns = tower.grid
    if rows < stripes:
        height, width = tower.image_size
        raise ModelError(
            f"{stripes} stripes need at least {stripes} rows of patches, but images of "
            f"{height}x{width} with stride {tower.stride} give {rows}x{columns} patches. Take "
            "higher images, a smaller stride or fewer stripes."
        )
