"""Relevance of patches as maps over images: pure functions on (B, N) values."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from promptreid.errors import ModelError


def even_share(values: Tensor) -> Tensor:
    """Divide the relevance of patches by what each would have if all had the same.

    Args:
        values: (B, N) at least 0.

    Returns:
        (B, N) with mean 1; ones where an image has no relevance at all.
    """
    values = values.float()
    mean = values.mean(dim=1, keepdim=True)
    return torch.where(mean > 0, values / mean.clamp(min=torch.finfo(values.dtype).tiny), 1.0)


def channel_energy(tokens: Tensor) -> Tensor:
    """Return the mean square over channels: (B, N, D) to (B, N).

    On the last map of a ResNet this is the activation map of attention transfer (Zagoruyko and
    Komodakis, ICLR 2017).
    """
    return tokens.float().square().mean(dim=2)


def head_mean(attention: Tensor) -> Tensor:
    """Average what one query attends to over the heads: (B, heads, N) to (B, N)."""
    return attention.float().mean(dim=1)


def strongest_groups(values: Tensor, count: int) -> list[int]:
    """Return the groups of (B, N, groups) values that are largest on average, the largest first."""
    mean = values.float().mean(dim=(0, 1))
    return mean.argsort(descending=True, stable=True)[:count].tolist()


def patches_only(values: Tensor, grid: tuple[int, int]) -> Tensor:
    """Leave out what stands before the patches, such as the class token.

    Args:
        values: (B, prefix + rows * columns, ...).
        grid: Rows and columns.

    Raises:
        ModelError: There are fewer values than patches.
    """
    cells = grid[0] * grid[1]
    if values.shape[1] < cells:
        raise ModelError(
            f"The tower gives {values.shape[1]} tokens for a grid of {grid[0]}x{grid[1]} patches, "
            "so they cannot be put back into the image."
        )
    return values[:, values.shape[1] - cells :]


def enlarge(
    maps: Tensor,
    size: tuple[int, int],
    *,
    stride: tuple[float, float] | None = None,
    patch: tuple[float, float] | None = None,
) -> Tensor:
    """Spread cells over the pixels of an image, bilinearly between the centres of the cells.

    The centre of cell i lies at `i * stride + patch / 2`, which for patches that overlap is not the
    same as stretching the map. Beyond the outermost centres the outermost value holds.

    Args:
        maps: (B, rows, columns).
        size: Height and width in pixels.
        stride: Pixels between cells, down and across; None when cells tile the image.
        patch: Height and width of a cell in pixels; None for the stride.

    Returns:
        (B, height, width).
    """
    grid = maps.shape[1:]
    stride = stride or (size[0] / grid[0], size[1] / grid[1])
    patch = patch or stride
    axes = [
        _positions(size[axis], grid[axis], stride=stride[axis], patch=patch[axis])
        for axis in (0, 1)
    ]
    down, across = torch.meshgrid(*axes, indexing="ij")
    places = torch.stack([across, down], dim=-1).to(maps.device).expand(len(maps), -1, -1, -1)
    return F.grid_sample(
        maps.float()[:, None], places, mode="bilinear", padding_mode="border", align_corners=True
    )[:, 0]


def _positions(pixels: int, cells: int, *, stride: float, patch: float) -> Tensor:
    """Return where pixel centres lie, -1 being the first cell's centre and 1 the last one's."""
    cell = (torch.arange(pixels) + 0.5 - patch / 2) / stride
    return 2 * cell / (cells - 1) - 1 if cells > 1 else torch.zeros(pixels)
