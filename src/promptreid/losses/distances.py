"""Pairwise distances and similarities of features, computed in float32."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def euclidean_distances(features: Tensor) -> Tensor:
    """Return all pairwise Euclidean distances, (N, N), from the expanded square.

    The square is clamped at 1e-12 before the root, so that the gradient is finite on the diagonal.
    """
    squares = features.pow(2).sum(1)
    squared = squares[:, None] + squares[None, :]
    squared = torch.addmm(squared, features, features.T, beta=1, alpha=-2)
    return squared.clamp(min=1e-12).sqrt()


def cosines(features: Tensor, others: Tensor | None = None) -> Tensor:
    """Return the cosine of each row with each row of `others`, or with each other's, (N, M)."""
    unit = F.normalize(features.float(), dim=1)
    other = unit if others is None else F.normalize(others.float(), dim=1)
    return unit @ other.T


def pairwise_distances(features: Tensor, *, kind: str) -> Tensor:
    """Return all pairwise distances in float32, (N, N).

    Args:
        features: (N, D).
        kind: "euclidean", of the features as they are; "cosine", one minus the cosine, in [0, 2].
    """
    if kind == "cosine":
        return 1 - cosines(features)
    return euclidean_distances(features.float())


def same_identity(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return which pairs share an identity, without and with pairs of an image and itself.

    Args:
        labels: (N,) identities.

    Returns:
        Two (N, N) bool masks: the first False on the diagonal, the second True.
    """
    same = labels[:, None] == labels[None, :]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return same & ~itself, same


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the values where the mask is True; zero where it is True nowhere."""
    return torch.where(mask, values, 0.0).sum() / mask.sum().clamp(min=1)
