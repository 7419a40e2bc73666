"""Batch-hard triplet loss."""

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


def batch_hard_triplet(features: Tensor, labels: Tensor, *, margin: float | None = 0.3) -> Tensor:
    """Triplet loss over the hardest positive and hardest negative of each anchor.

    `mean_a max(0, d(a, p) - d(a, n) + margin)` with `p` the farthest image of the same identity
    (the anchor itself when it is alone) and `n` the nearest image of another one (Hermans et al.,
    arXiv:1703.07737). Features are used as they are, not normalised, as in CLIP-ReID. Computed in
    float32 whatever the input type. Anchors without a negative do not take part.

    Args:
        features: (N, D).
        labels: (N,) identities.
        margin: Margin in the units of the distance; None for the soft margin `log(1 + e^x)`.

    Returns:
        The scalar loss; zero when the batch holds one identity only.
    """
    with torch.autocast(features.device.type, enabled=False):
        distances = euclidean_distances(features.float())
        same = labels[:, None] == labels[None, :]
        hardest_positive = distances.masked_fill(~same, float("-inf")).amax(1)
        hardest_negative = distances.masked_fill(same, float("inf")).amin(1)
        violation = hardest_positive - hardest_negative
        losses = F.softplus(violation) if margin is None else F.relu(violation + margin)
        # An anchor without a negative has violation -inf, hence loss and gradient 0; it must not
        # pull the mean down either.
        with_negative = (~same).any(1)
        return losses[with_negative].sum() / with_negative.sum().clamp(min=1)
