"""Cross-modal supervised contrastive loss: images against texts of the same identities."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def supcon_cross_modal(
    anchors: Tensor,
    others: Tensor,
    anchor_labels: Tensor,
    other_labels: Tensor,
    *,
    temperature: float = 1.0,
    normalize: bool = False,
) -> Tensor:
    """Supervised contrastive loss between two modalities, several positives an anchor.

    `L = -mean_i( mean_{j: y_j = y_i} log softmax_j(a_i . o_j / t) )`, as in stage 1 of CLIP-ReID
    (Li et al., AAAI 2023), which uses raw dot products and t = 1. The pair (i, i) is a true
    positive here, because the two sides come from different towers. Computed in float32 whatever
    the input type.

    Args:
        anchors: (N, D) features of one modality.
        others: (M, D) features of the other.
        anchor_labels: (N,) identity of each anchor; each must occur in `other_labels`.
        other_labels: (M,) identity of each other.
        temperature: Divides the similarities; above zero.
        normalize: Use cosines instead of raw dot products.

    Returns:
        The scalar loss.
    """
    with torch.autocast(anchors.device.type, enabled=False):
        a, o = anchors.float(), others.float()
        if normalize:
            a, o = F.normalize(a, dim=1), F.normalize(o, dim=1)
        log_p = F.log_softmax(a @ o.T / temperature, dim=1)
        positive = (anchor_labels[:, None] == other_labels[None, :]).to(log_p.dtype)
        return -((log_p * positive).sum(1) / positive.sum(1)).mean()
