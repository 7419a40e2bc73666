"""Regularisation by the identity centers of the batch."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from promptreid.config.losses import CompactOptions
from promptreid.losses.distances import euclidean_distances, masked_mean
from promptreid.losses.loss_inputs import Outputs
from promptreid.transfer import send


def compactness(features: Tensor, labels: Tensor, *, margin: float = 0.3) -> Tensor:
    """Keep features close to their identity's center, and the centers of identities apart.

    `mean_i |u_i - c_{y_i}|^2 + mean_{j<k} [m - |c_j - c_k|]+^2` with features u of length 1 and
    c the means of the batch's identities. The first mean is over images that are not alone in
    their identity, the second over pairs of centers closer than the margin.

    Args:
        features: (N, D), any floating type; the loss is computed in float32.
        labels: (N,) identities; on the CPU, so that nobody waits for a device to tell them apart.
        margin: m, the smallest distance of two centers; 0 for pulling only.

    Returns:
        The scalar loss.
    """
    with torch.autocast(features.device.type, enabled=False):
        unit, device = F.normalize(features.float(), dim=1), features.device
        labels = labels.cpu()
        distinct, rows, counts = labels.unique(return_inverse=True, return_counts=True)
        # A product instead of a scatter, which is not repeatable on every device.
        members = send(distinct[:, None] == labels[None, :], device).to(unit.dtype)
        centers = members @ unit / send(counts, device)[:, None]
        squared = (unit - centers[send(rows, device)]).pow(2).sum(1)
        pull = masked_mean(squared, send(counts[rows] > 1, device))
        distances = euclidean_distances(centers)
        close = (distances < margin).triu(diagonal=1)
        return pull + masked_mean((margin - distances).pow(2), close)


def compactness_term(outputs: Outputs, options: CompactOptions) -> Tensor:
    """Sum the regularisation by the batch's centers over the named image features."""
    loss = partial(compactness, margin=options.margin)
    return outputs.sum_over(options.features, loss, host=True)
