"""Shared and domain tokens of a prompt that are not to say the same."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def token_orthogonality(shared: Tensor, domains: Tensor) -> Tensor:
    """Sum of squared cosines between shared tokens and those of a domain, averaged over domains.

    mean_k ||normalise(P_S) normalise(P_Dk)^T||_F^2, each token normalised on its own. Zero when
    every shared token is orthogonal to every domain token, Ms * Md at most.

    Args:
        shared: (Ms, width) P_S.
        domains: (K, Md, width) P_D1 to P_DK.

    Returns:
        A scalar in float32.
    """
    with torch.autocast(shared.device.type, enabled=False):
        cosines = F.normalize(domains.float(), dim=-1) @ F.normalize(shared.float(), dim=-1).T
        return cosines.square().sum(dim=(1, 2)).mean()
