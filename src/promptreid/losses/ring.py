"""The latest features of a training run, with their labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EMPTY = -1


class Ring(nn.Module):
    """Keeps the latest features; the oldest leave first.

    Its tensors are replaced, never changed, so that a loss may be differentiated after new features
    came in.

    Attributes:
        features: (size, D) float32; zero where nothing has been kept yet.
        labels: (size,) int64; `EMPTY` where nothing has been kept yet.
        position: Where the next feature goes.
    """

    features: Tensor
    labels: Tensor
    position: Tensor

    def __init__(self, size: int, width: int) -> None:
        """Make room for `size` features of `width` numbers."""
        super().__init__()
        self.register_buffer("features", torch.zeros(size, width))
        self.register_buffer("labels", torch.full((size,), EMPTY))
        self.register_buffer("position", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def add(self, features: Tensor, labels: Tensor) -> None:
        """Keep (N, D) features and (N,) int64 labels, the last ones when not all fit."""
        size = len(self.labels)
        if size == 0:
            return
        features, labels = features.detach().float()[-size:], labels[-size:]
        slots = (self.position + torch.arange(len(labels), device=labels.device)) % size
        self.features = self.features.index_copy(0, slots, features)
        self.labels = self.labels.index_copy(0, slots, labels)
        self.position = (self.position + len(labels)) % size
