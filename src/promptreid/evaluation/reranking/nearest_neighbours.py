"""Exact nearest neighbours of every image among all images, without the matrix of all pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from promptreid.evaluation.ranking.similarity import similarity_blocks

# Columns are compared in groups where the groups have at least this many.
_SMALLEST_GROUP = 8


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Neighbours of N images among themselves.

    Attributes:
        index: (N, K) int64, the nearest first, the image itself included; ties in the order of
            the images.
        farthest: (N,) float32 squared Euclidean distance to the farthest image.
    """

    index: Tensor
    farthest: Tensor


def nearest_neighbours(vectors: Tensor, count: int, *, block: int | None = None) -> Neighbours:
    """Find the nearest neighbours of every image.

    Args:
        vectors: (N, D) float32 unit rows.
        count: Neighbours K wanted per image; at most N are given.
        block: Rows per block, see `similarity_blocks`.
    """
    count = min(count, len(vectors))
    index = torch.empty(len(vectors), count, dtype=torch.int64, device=vectors.device)
    farthest = torch.empty(len(vectors), device=vectors.device)
    for rows, similarity in similarity_blocks(vectors, vectors, block=block):
        index[rows] = nearest_columns(similarity, count)
        # Unit vectors: |a - b|^2 = 2 - 2 a.b; rounding can make it a little less than nothing.
        farthest[rows] = (2 - 2 * similarity.amin(1)).clamp_(min=0)
    return Neighbours(index=index, farthest=farthest)


def nearest_columns(similarity: Tensor, count: int) -> Tensor:
    """Give the columns of the largest entries of each row, ties in the order of the columns.

    Args:
        similarity: (B, G), larger is closer.
        count: Columns K wanted per row, at most G.

    Returns:
        (B, K) int64, the largest first.
    """
    candidates = _choose_candidates(similarity, count)
    among = similarity if candidates is None else similarity.gather(1, candidates)
    values, columns = among.topk(count, dim=1)
    # topk leaves open which of equal entries it takes: rows in which an entry equal to the last
    # one taken was left out are sorted in full. Only duplicate images make such rows.
    unclear = (among >= values[:, -1:]).sum(1) > count
    if candidates is not None:
        columns = candidates.gather(1, columns)
    columns = columns.gather(1, _order_stably(values, columns))
    if unclear.any():
        order = similarity[unclear].sort(dim=1, descending=True, stable=True).indices
        columns[unclear] = order[:, :count]
    return columns


def _choose_candidates(similarity: Tensor, count: int) -> Tensor | None:
    """Give (B, M) distinct columns that hold the `count` largest entries; None for all columns.

    Columns are dealt out into groups. The K largest entries lie in the K groups of the largest
    maxima, and if an entry outside these equals the smallest of them, the next group has one too.
    """
    columns = similarity.shape[1]
    size = math.isqrt(columns // (count + 1))  # makes about as many groups as candidates
    if size < _SMALLEST_GROUP:
        return None
    groups = columns // size
    # Group c has columns c, c + groups, c + 2 groups, ...: whole rows are compared at a time.
    best = similarity[:, : groups * size].unflatten(1, (size, groups)).amax(1)
    chosen = best.topk(count + 1, dim=1, sorted=False).indices
    steps = torch.arange(0, groups * size, groups, device=similarity.device)
    grouped = (chosen[:, :, None] + steps).flatten(1)
    # The columns beyond the last whole step, fewer than `size`, are in no group.
    rest = torch.arange(groups * size, columns, device=similarity.device)
    return torch.cat([grouped, rest.expand(len(grouped), -1)], dim=1)


def _order_stably(values: Tensor, columns: Tensor) -> Tensor:
    """Order entries by falling value, then by rising column."""
    by_column = columns.argsort(dim=1)
    by_value = values.gather(1, by_column).argsort(dim=1, descending=True, stable=True)
    return by_column.gather(1, by_value)
