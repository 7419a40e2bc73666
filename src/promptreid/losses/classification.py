"""Cross-entropy over identities, computed in float32."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def identity_cross_entropy(logits: Tensor, labels: Tensor, *, smoothing: float = 0.1) -> Tensor:
    """Cross-entropy with label smoothing (Szegedy et al., CVPR 2016).

    The target of the true class is `1 - s + s / C`, of each other class `s / C`.

    Args:
        logits: (N, C), any floating type; the loss is computed in float32.
        labels: (N,) class indices.
        smoothing: s, in [0, 1).

    Returns:
        The scalar mean over the batch.
    """
    with torch.autocast(logits.device.type, enabled=False):
        return F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
