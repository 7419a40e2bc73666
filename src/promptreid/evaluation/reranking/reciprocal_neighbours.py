"""k-reciprocal neighbours: images that are among each other's nearest."""

from __future__ import annotations

import torch
from torch import Tensor

from promptreid.evaluation.reranking.sparse import distinct_where


def find_reciprocal(index: Tensor, rows: int) -> Tensor:
    """Say which neighbours have the image among their own neighbours.

    Args:
        index: (N, K) the nearest images of each image.
        rows: Images looked at together; memory grows with rows x K x K.

    Returns:
        (N, K) bool.
    """
    parts = []
    for start in range(0, len(index), rows):
        neighbours = index[start : start + rows]
        image = torch.arange(start, start + len(neighbours), device=index.device)
        parts.append((index[neighbours] == image[:, None, None]).any(2))
    return torch.cat(parts)


def reciprocal_sets(
    wide: Tensor, wide_mutual: Tensor, narrow: Tensor, narrow_mutual: Tensor, rows: slice
) -> tuple[Tensor, Tensor]:
    """List the expanded k-reciprocal sets of some images.

    The set of an image is its reciprocal neighbours, joined with the narrow reciprocal set of each
    of them that lies by more than two thirds in the image's own set.

    Args:
        wide: (N, K) nearest images of each image.
        wide_mutual: (N, K) which of them are reciprocal.
        narrow: (N, H) the fewer nearest images that reciprocal neighbours bring along.
        narrow_mutual: (N, H) which of them are reciprocal.
        rows: The images B asked for.

    Returns:
        (E,) position within `rows` and (E,) member image, ordered by both.
    """
    near, mutual = wide[rows], wide_mutual[rows]
    count = len(wide)
    first = torch.arange(len(near), device=near.device)[:, None] * count
    member = torch.zeros(len(near), count, dtype=torch.bool, device=near.device)
    member.scatter_(1, near, mutual)
    brought = narrow[near]  # (B, K, H)
    brought_mutual = narrow_mutual[near]
    inside = member.gather(1, brought.flatten(1)).view(brought.shape) & brought_mutual
    accepted = mutual & (3 * inside.sum(2) > 2 * brought_mutual.sum(2))
    new = brought_mutual & accepted[:, :, None]
    wanted = torch.cat([mutual.flatten(), (new & ~inside).flatten()])
    places = torch.cat([(first + near).flatten(), (first[:, :, None] + brought).flatten()])
    cells = distinct_where(wanted, places)
    return cells // count, cells % count
