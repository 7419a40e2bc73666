"""Classifiers: from a feature to one score for each identity."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LINEAR_STD = 0.001


class CosineClassifier(nn.Module):
    """Scores by the angle between a feature and a learned direction of each identity.

    Margins (ArcFace, CosFace) and scales are the loss's business: they need labels, and scores must
    never see any.

    Attributes:
        weight: (identities, size) directions, not normalised; Xavier-uniform at the start.
    """

    def __init__(self, size: int, identities: int, *, generator: torch.Generator) -> None:
        """Draw the initial directions."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(identities, size))
        nn.init.xavier_uniform_(self.weight, generator=generator)

    def forward(self, feature: Tensor) -> Tensor:
        """Compare (B, size) features with all directions.

        Returns:
            (B, identities) float32 cosines in [-1, 1], whatever the precision of the features.
        """
        with torch.autocast(feature.device.type, enabled=False):
            directions = F.normalize(self.weight.float(), dim=1)
            return (F.normalize(feature.float(), dim=1) @ directions.T).clamp(-1, 1)


def build_classifier(
    kind: str, size: int, identities: int, *, generator: torch.Generator
) -> nn.Module:
    """Build a classifier with fresh weights for a feature of a size.

    The kind `linear` gives logits, without a bias and from N(0, 0.001), so that identities are
    separated by directions through the origin; any other kind gives cosines.
    """
    if kind != "linear":
        return CosineClassifier(size, identities, generator=generator)
    classifier = nn.Linear(size, identities, bias=False)
    nn.init.normal_(classifier.weight, std=_LINEAR_STD, generator=generator)
    return classifier
