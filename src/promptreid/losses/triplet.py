"""Triplet loss with three ways of choosing the triplets."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from promptreid.config.losses import TripletOptions
from promptreid.losses.distances import (
    euclidean_distances,
    masked_mean,
    pairwise_distances,
    same_identity,
)
from promptreid.losses.loss_inputs import Outputs
from promptreid.transfer import send


def batch_hard_triplet(features: Tensor, labels: Tensor, *, margin: float | None = 0.3) -> Tensor:
    """Compute the triplet loss of each anchor's hardest positive and hardest negative.

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
        _, same = same_identity(labels)
        return hardest_triplets(distances, same, ~same, margin=margin)


def triplet_loss(
    features: Tensor,
    labels: Tensor,
    *,
    margin: float | None = 0.3,
    mining: str = "hard",
    distance: str = "euclidean",
) -> Tensor:
    """Average `max(0, d(a, p) - d(a, n) + margin)` over the chosen triplets.

    Args:
        features: (N, D), any floating type; the loss is computed in float32.
        labels: (N,) identities; on the CPU, so that nobody waits for a device to list triplets.
        margin: Margin in the units of the distance; None for the soft margin `log(1 + e^x)`.
        mining: "hard", one triplet an anchor, see `batch_hard_triplet`; "semihard", every triplet
            whose negative is farther than the positive, but by less than the margin (Schroff et
            al., CVPR 2015), or by any distance with the soft margin; "all", every triplet that
            violates the margin (Hermans et al.), or every one with the soft margin.
        distance: "euclidean", of the features as they are; "cosine", one minus the cosine.

    Returns:
        The scalar loss; zero when no triplet is left.
    """
    with torch.autocast(features.device.type, enabled=False):
        distances = pairwise_distances(features, kind=distance)
        device = features.device
        if mining == "hard":
            _, same = same_identity(send(labels, device))
            return hardest_triplets(distances, same, ~same, margin=margin)
        # Triplets are listed by positive pair: (pairs, N) instead of (N, N, N).
        positive, same = same_identity(labels.cpu())
        anchors, positives = positive.nonzero(as_tuple=True)
        strangers = send(~same[anchors], device)
        anchors, positives = send(anchors, device), send(positives, device)
        violation = distances[anchors, positives][:, None] - distances[anchors]
        losses = _penalty(violation, margin)
        chosen = strangers
        if mining == "semihard":
            chosen = chosen & (violation < 0)
        if margin is not None:
            chosen = chosen & (losses > 0)
        return masked_mean(losses, chosen)


def hardest_triplets(
    distances: Tensor, positive: Tensor, negative: Tensor, *, margin: float | None
) -> Tensor:
    """Average the triplet loss over the anchors' farthest positives and nearest negatives.

    Args:
        distances: (N, M) from anchors to candidates.
        positive: (N, M) bool, candidates of the anchor's identity.
        negative: (N, M) bool, candidates of another one.
        margin: Margin; None for the soft margin.

    Returns:
        The scalar mean over the anchors that have a positive and a negative; zero without any.
    """
    farthest = distances.masked_fill(~positive, float("-inf")).amax(1)
    nearest = distances.masked_fill(~negative, float("inf")).amin(1)
    losses = _penalty(farthest - nearest, margin)
    # An anchor that lacks one of them has violation -inf, hence loss and gradient 0; it must not
    # pull the mean down either. Its zero is summed: leaving it out would need its number, for which
    # a device would have to be waited for.
    complete = positive.any(1) & negative.any(1)
    return losses.sum() / complete.sum().clamp(min=1)


def _penalty(violation: Tensor, margin: float | None) -> Tensor:
    return F.softplus(violation) if margin is None else F.relu(violation + margin)


def triplet_term(outputs: Outputs, options: TripletOptions) -> Tensor:
    """Sum the triplet loss over the named image features."""
    loss = partial(
        triplet_loss, margin=options.margin, mining=options.mining, distance=options.distance
    )
    return outputs.sum_over(options.features, loss, host=options.mining != "hard")
