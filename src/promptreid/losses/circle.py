"""Circle loss over the pairs of a batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from promptreid.losses.distances import cosines, masked_mean, same_identity
from promptreid.losses.margins import circle_negative, circle_positive


def circle_pairs(
    features: Tensor, labels: Tensor, *, margin: float = 0.25, scale: float = 128.0
) -> Tensor:
    """Compute the circle loss with pair-wise labels (Sun et al., CVPR 2020).

    `mean_a softplus( LSE_n(s [c_n + m]+ (c_n - m)) + LSE_p(-s [1 + m - c_p]+ (c_p - 1 + m)) )`
    with the cosines of anchor and positives, without itself, and of anchor and negatives. The
    factors in brackets get no gradient. Anchors that lack either kind do not take part.

    Args:
        features: (N, D), any floating type; the loss is computed in float32.
        labels: (N,) identities.
        margin: m.
        scale: s, gamma in the paper.

    Returns:
        The scalar loss; zero when no anchor takes part.
    """
    with torch.autocast(features.device.type, enabled=False):
        similarities = cosines(features)
        positive, same = same_identity(labels)
        pull = _log_sum(-scale * circle_positive(similarities, margin), positive)
        push = _log_sum(scale * circle_negative(similarities, margin), ~same)
        return masked_mean(F.softplus(pull + push), positive.any(1) & (~same).any(1))


def _log_sum(values: Tensor, mask: Tensor) -> Tensor:
    """Return the log-sum-exp of the marked values of each row; finite for rows without any."""
    return values.masked_fill(~mask, torch.finfo(values.dtype).min / 4).logsumexp(1)
