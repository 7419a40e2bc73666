"""Exact nearest neighbours of every image among all images, without the matrix of all pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from promptreid.evaluation.similarity import similarity_blocks


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

    Returns:
        The neighbours and the largest distance of each row.
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
    values, columns = similarity.topk(count, dim=1)
    # topk leaves open which of equal entries it takes: rows in which an entry equal to the last
    # one taken was left out are sorted in full. Only duplicate images make such rows.
    unclear = (similarity >= values[:, -1:]).sum(1) > count
    columns = columns.gather(1, _stable_order(values, columns))
    if unclear.any():
        order = similarity[unclear].sort(dim=1, descending=True, stable=True).indices
        columns[unclear] = order[:, :count]
    return columns


def _stable_order(values: Tensor, columns: Tensor) -> Tensor:
    """Order entries by falling value, then by rising column."""
    by_column = columns.argsort(dim=1)
    by_value = values.gather(1, by_column).argsort(dim=1, descending=True, stable=True)
    return by_column.gather(1, by_value)
