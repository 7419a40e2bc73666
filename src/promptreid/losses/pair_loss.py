"""Siamese contrastive loss over the pairs of a batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from promptreid.losses.distances import masked_mean, pairwise_distances, same_identity


def pair_loss(
    features: Tensor, labels: Tensor, *, margin: float = 1.0, distance: str = "euclidean"
) -> Tensor:
    """Pull pairs of an identity together and push others to a margin (Hadsell et al., CVPR 2006).

    See `siamese` for the formula. Features are brought to length 1 first, so that one margin fits
    features of any size: distances lie in [0, 2] either way.

    Args:
        features: (N, D), any floating type; the loss is computed in float32.
        labels: (N,) identities.
        margin: Distance that pairs of different identities should have; at 1, Euclidean, they stand
            at 60 degrees, and at 1, cosine, at a right angle.
        distance: "euclidean"; "cosine", one minus the cosine.

    Returns:
        The scalar loss; zero for a batch without pairs.
    """
    with torch.autocast(features.device.type, enabled=False):
        unit = F.normalize(features.float(), dim=1)
        positive, same = same_identity(labels)
        return siamese(pairwise_distances(unit, kind=distance), positive, ~same, margin=margin)


def siamese(distances: Tensor, positive: Tensor, negative: Tensor, *, margin: float) -> Tensor:
    """Average over pairs of an identity and over pairs of two that are within the margin.

    `mean_p d_p^2 / 2 + mean_n [m - d_n]+^2 / 2`. The two kinds are averaged apart,
    and negatives that are far enough do not count, because a batch holds many more of them than
    positives.

    Args:
        distances: (N, M).
        positive: (N, M) bool, pairs of one identity.
        negative: (N, M) bool, pairs of two.
        margin: m.

    Returns:
        The scalar loss; a kind without pairs adds nothing.
    """
    pull = masked_mean(distances.pow(2) / 2, positive)
    push = masked_mean(F.relu(margin - distances).pow(2) / 2, negative & (distances < margin))
    return pull + push
