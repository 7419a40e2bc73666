"""Choose the training images that a model confuses most."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from promptreid.data.batches.samplers import Indices

_BLOCK = 1024


def hardness(vectors: Tensor, labels: Tensor) -> Tensor:
    """Return how much closer the nearest stranger is than the farthest image of the own identity.

    `h_i = max_{j: y_j != y_i} s_ij - min_{j != i: y_j = y_i} s_ij` with cosines s: the violation of
    the batch-hard triplet (Hermans et al., arXiv:1703.07737) over the whole training set. An image
    alone in its identity has 1 in place of the minimum.

    Args:
        vectors: (N, D) rows of length 1.
        labels: (N,) identities.

    Returns:
        (N,) float32; above zero where the nearest image is a stranger's.
    """
    blocks: list[Tensor] = []
    for start in range(0, len(vectors), _BLOCK):
        rows = slice(start, start + _BLOCK)
        similarity = vectors[rows] @ vectors.T
        same = labels[rows, None] == labels[None, :]
        stranger = similarity.masked_fill(same, -1.0).amax(1)
        positive = same.clone()
        numbers = torch.arange(len(positive), device=positive.device)
        positive[numbers, numbers + start] = False
        farthest = similarity.masked_fill(~positive, 1.0).amin(1)
        blocks.append(stranger - farthest)
    return torch.cat(blocks)


def hardest_rows(vectors: Tensor, labels: Tensor, share: float) -> Indices:
    """Return the rows of the hardest images, ascending; equal ones by row.

    Args:
        vectors: (N, D) rows of length 1.
        labels: (N,) identities.
        share: Part of the images to keep, above 0 and up to 1; at least one is kept.
    """
    count = max(1, math.ceil(share * len(labels)))
    order = hardness(vectors, labels).argsort(descending=True, stable=True)
    return np.sort(order[:count].cpu().numpy().astype(np.int64))
