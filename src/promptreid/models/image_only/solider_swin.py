"""Swin transformers of SOLIDER (Chen et al., Beyond Appearance: a Semantic Controllable
Self-Supervised Learning Framework for Human-Centric Visual Tasks, CVPR 2023).

Parts are called as there, so that files fit as they are. Maps are (B, rows, columns, width).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WINDOW, PATCH = 7, 4
IMAGE_SIZE = (384, 128)
SEMANTIC_WEIGHT = 0.2
"""How much the map says of what is seen rather than of how it looks; re-ID is tuned with 0.2."""
_SHIFT = WINDOW // 2
_APART = -100.0  # added to the scores of cells that a shifted window joined from two edges


class SoliderShape(NamedTuple):
    """What tells one from another.

    Attributes:
        width: Of the first stage; each stage has twice that of the one before.
        depths: Numbers of blocks of the stages.
        heads: Numbers of heads of their attention layers.
    """

    width: int
    depths: tuple[int, ...]
    heads: tuple[int, ...]


SOLIDERS: Mapping[str, SoliderShape] = {
    "solider_swin_tiny": SoliderShape(96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "solider_swin_small": SoliderShape(96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "solider_swin_base": SoliderShape(128, (2, 2, 18, 2), (4, 8, 16, 32)),
}
"""Shapes by name."""


def number_offsets() -> Tensor:
    """Return which row of a table of biases stands for each pair of a window's cells: (49, 49)."""
    rows, columns = torch.meshgrid(torch.arange(WINDOW), torch.arange(WINDOW), indexing="ij")
    down = rows.flatten()[:, None] - rows.flatten() + WINDOW - 1
    right = columns.flatten()[:, None] - columns.flatten() + WINDOW - 1
    return down * (2 * WINDOW - 1) + right


def mask_windows(rows: int, columns: int) -> Tensor:
    """Return what is added to the scores of the cells of shifted windows: (windows, 49, 49).

    Args:
        rows: Of a map, a multiple of the window.
        columns: Of a map, likewise.
    """
    row, column = (
        (torch.arange(size) >= size - WINDOW).long() + (torch.arange(size) >= size - _SHIFT).long()
        for size in (rows, columns)
    )
    regions = cut_windows((row[:, None] * 3 + column)[None, :, :, None])[0, :, :, 0]
    return (regions[:, :, None] != regions[:, None]) * _APART


def cut_windows(x: Tensor) -> Tensor:
    """Cut (B, rows, columns, C) into (B, windows, 49, C)."""
    by_window = x.unflatten(2, (-1, WINDOW)).unflatten(1, (-1, WINDOW)).transpose(2, 3)
    return by_window.flatten(3, 4).flatten(1, 2)


def join_windows(windows: Tensor, rows: int) -> Tensor:
    """Undo `cut_windows` for maps of so many rows."""
    by_window = windows.unflatten(1, (rows // WINDOW, -1)).unflatten(3, (WINDOW, WINDOW))
    return by_window.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def pad_map(x: Tensor, size: int) -> Tensor:
    """Add zeros below and to the right until rows and columns are multiples of a size."""
    return F.pad(x, (0, 0, 0, -x.shape[2] % size, 0, -x.shape[1] % size))


class WindowAttention(nn.Module):
    """Attention of the cells of a window to each other, with a bias for each offset."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(
            torch.empty((2 * WINDOW - 1) ** 2, heads).normal_(std=0.02)
        )
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, windows: Tensor, offsets: Tensor, mask: Tensor | None) -> Tensor:
        """Attend within (B, windows, 49, width); see `number_offsets` and `mask_windows`."""
        bias = self.relative_position_bias_table[offsets].permute(2, 0, 1)
        if mask is not None:
            bias = bias + mask[:, None]
        parts = self.qkv(windows).unflatten(3, (3, self.heads, -1))
        query, key, value = parts.permute(3, 0, 1, 4, 2, 5)
        # Fused attention takes a third more time with such masks, on processors.
        scores = query * query.shape[-1] ** -0.5 @ key.transpose(3, 4) + bias
        return self.proj((scores.softmax(dim=4) @ value).transpose(2, 3).flatten(3))


class ShiftedAttention(nn.Module):
    """Cuts a map into windows, every other time shifted by half a window, and joins them again."""

    def __init__(self, width: int, heads: int, *, shifted: bool) -> None:
        super().__init__()
        self.shifted = shifted
        self.w_msa = WindowAttention(width, heads)

    def forward(self, x: Tensor, offsets: Tensor, mask: Tensor) -> Tensor:
        """Attend within the windows of a map."""
        rows, columns = x.shape[1:3]
        padded = pad_map(x, WINDOW)
        if not self.shifted:
            seen = join_windows(self.w_msa(cut_windows(padded), offsets, None), padded.shape[1])
        else:
            moved = padded.roll((-_SHIFT, -_SHIFT), dims=(1, 2))
            seen = join_windows(self.w_msa(cut_windows(moved), offsets, mask), padded.shape[1])
            seen = seen.roll((_SHIFT, _SHIFT), dims=(1, 2))
        return seen[:, :rows, :columns]


class FeedForward(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU())
        self.layers = nn.Sequential(wide, nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Encode each cell alone."""
        return self.layers(x)


class SwinBlock(nn.Module):
    """Attention within windows, then two layers on each cell."""

    def __init__(self, width: int, heads: int, *, shifted: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = ShiftedAttention(width, heads, shifted=shifted)
        self.norm2 = nn.LayerNorm(width)
        self.ffn = FeedForward(width)

    def forward(self, x: Tensor, offsets: Tensor, mask: Tensor) -> Tensor:
        """Encode a map as another of the same size."""
        x = x + self.attn(self.norm1(x), offsets, mask)
        return x + self.ffn(self.norm2(x))


class PatchMerging(nn.Module):
    """Joins two by two cells, channel by channel, and halves what comes of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Turn a map into one of half its rows and columns and of twice its width."""
        cells = pad_map(x, 2).unflatten(2, (-1, 2)).unflatten(1, (-1, 2))
        return self.reduction(self.norm(cells.permute(0, 1, 3, 5, 2, 4).flatten(3)))


class SwinStage(nn.Module):
    """Blocks on maps of one size, and what makes a smaller map of the last."""

    def __init__(self, width: int, depth: int, heads: int, *, last: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            SwinBlock(width, heads, shifted=number % 2 == 1) for number in range(depth)
        )
        self.downsample = None if last else PatchMerging(width)


class SoliderSwin(nn.Module):
    """The transformer up to its last map; it has no classifier.

    Between stages, a map is scaled and moved channel by channel by what `SEMANTIC_WEIGHT` says.
    What does that stays as its pre-training left it.

    Attributes:
        shape: Width, depths and heads.
    """

    def __init__(self, shape: SoliderShape) -> None:
        """Build the parts with random weights."""
        super().__init__()
        self.shape = shape
        widths = [shape.width << number for number in range(len(shape.depths))]
        self.patch_embed = nn.ModuleDict(
            {
                "projection": nn.Conv2d(3, shape.width, PATCH, stride=PATCH),
                "norm": nn.LayerNorm(shape.width),
            }
        )
        self.stages = nn.ModuleList(
            SwinStage(width, depth, heads, last=width == widths[-1])
            for width, depth, heads in zip(widths, shape.depths, shape.heads, strict=True)
        )
        self.norm3 = nn.LayerNorm(widths[-1])
        for name in ("semantic_embed_w", "semantic_embed_b"):
            layers = nn.ModuleList(nn.Linear(2, width) for width in widths[1:])
            self.add_module(name, layers.requires_grad_(False))
