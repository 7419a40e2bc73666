"""Heads: what turns image features into identity logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from promptreid.errors import ConfigError
from promptreid.models.tower import ImageFeatures

_CLASSIFIER_STD = 0.001


class BNNeckHead(nn.Module):
    """Batch-norm neck and linear classifier for each of some features (BNNeck, CLIP-ReID).

    The neck's shift stays at zero and the classifier has no bias, so that the classes are separated
    by directions through the origin. Classifiers start from N(0, 0.001).
    """

    def __init__(
        self,
        widths: Mapping[str, int] | tuple[int, int],
        identities: int,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        """Build one neck and one classifier per feature.

        Args:
            widths: Feature name to its size, in the order of the logits. Two numbers are the sizes
                of `final` and `projected`, the features that CLIP-ReID classifies.
            identities: Number of classes, at least one.
            generator: Source of the initial classifiers; None for a generator with seed 0.

        Raises:
            ConfigError: There is no identity or no feature.
        """
        super().__init__()
        if not isinstance(widths, Mapping):
            widths = dict(zip(("final", "projected"), widths, strict=True))
        if identities < 1 or not widths:
            raise ConfigError(
                f"A classifier needs at least one identity and one feature, got {identities} "
                f"identities and features {list(widths)}."
            )
        generator = generator or torch.Generator().manual_seed(0)
        self.identities = identities
        self.widths = dict(widths)
        self.necks = nn.ModuleDict({name: nn.BatchNorm1d(size) for name, size in widths.items()})
        self.classifiers = nn.ModuleDict()
        for name, size in widths.items():
            self.necks[name].bias.requires_grad_(False)
            classifier = nn.Linear(size, identities, bias=False)
            nn.init.normal_(classifier.weight, std=_CLASSIFIER_STD, generator=generator)
            self.classifiers[name] = classifier

    def neck(self, features: ImageFeatures) -> dict[str, Tensor]:
        """Return the features after their necks, by name."""
        return {name: neck(features[name]) for name, neck in self.necks.items()}

    def forward(self, features: ImageFeatures) -> list[Tensor]:
        """Classify.

        Returns:
            (B, identities) logits of each feature, in the order of `widths`.
        """
        after = self.neck(features)
        return [classifier(after[name]) for name, classifier in self.classifiers.items()]

    def describe(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON-ready."""
        return {"kind": "bnneck", "widths": self.widths, "identities": self.identities}

    @classmethod
    def restore(cls, description: dict[str, Any]) -> BNNeckHead:
        """Build a head of a description, ready for its weights."""
        return cls(description["widths"], description["identities"])
