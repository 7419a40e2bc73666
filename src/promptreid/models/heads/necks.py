"""Batch-norm necks: one for all images, or one for each domain."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.errors import ModelError
from promptreid.transfer import HostRows


def shared_neck(width: int) -> nn.BatchNorm1d:
    """Build a batch norm whose shift stays at zero (BNNeck, Luo et al., CVPRW 2019)."""
    neck = nn.BatchNorm1d(width)
    neck.bias.requires_grad_(False)
    return neck


class DomainNeck(nn.Module):
    """A batch-norm neck for each domain, so that domains do not share mean and variance."""

    def __init__(self, width: int, domains: int) -> None:
        """Build `domains` necks of a width."""
        super().__init__()
        self.norms = nn.ModuleList(shared_neck(width) for _ in range(domains))

    def forward(self, features: Tensor, domains: Tensor | None = None) -> Tensor:
        """Norm each row with the others of its domain.

        Args:
            features: (B, width).
            domains: (B,) number of the domain of each row, on the CPU, so that nobody waits for a
                device to sort them; may be left out with one domain.

        Returns:
            (B, width). While training, a domain with a single row is normed with its running
            statistics, which that row does not move: one row has no variance.

        Raises:
            ModelError: There are several domains and none is given.
        """
        if len(self.norms) == 1:
            return self.norms[0](features)
        if domains is None:
            raise ModelError(
                f"There is a neck for each of {len(self.norms)} domains, and nothing tells the "
                "domain of these images. Use the features before the neck."
            )
        normed_rows: Tensor | None = None
        for number, norm in enumerate(self.norms):
            assert isinstance(norm, nn.BatchNorm1d)
            rows = HostRows.where(domains.cpu() == number)
            if not len(rows):
                continue
            normed = _norm_rows(norm, rows.of(features))
            if normed_rows is None:
                normed_rows = normed.new_zeros(features.shape)
            normed_rows = normed_rows.index_copy(0, rows.on(features.device), normed)
        return features if normed_rows is None else normed_rows


def _norm_rows(norm: nn.BatchNorm1d, rows: Tensor) -> Tensor:
    if len(rows) > 1 or not norm.training:
        return norm(rows)
    assert isinstance(norm.running_mean, torch.Tensor)
    return F.batch_norm(
        rows, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    )
