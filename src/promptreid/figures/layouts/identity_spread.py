"""How far identities lie apart, in the embedding itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from promptreid.errors import EvaluationError


@dataclass(frozen=True)
class Spread:
    """How tight identities are, and how far apart.

    Attributes:
        intra: Mean Euclidean distance between two images of one identity.
        inter: The same of images of two identities.
    """

    intra: float
    inter: float

    @property
    def ratio(self) -> float:
        """Intra-class over inter-class distance; smaller is better, 1 is no structure at all."""
        return self.intra / self.inter


def class_spread(vectors: Tensor, groups: Sequence[int]) -> Spread:
    """Measure identities in the space of the embeddings, as means over all pairs of rows.

    Args:
        vectors: (N, D) rows of length 1.
        groups: Number of the identity of each row.

    Raises:
        EvaluationError: No two rows share an identity, or all do.
    """
    rows = vectors.double()
    # Not torch.cdist: with products of matrices it loses the digits of small distances.
    distances = (2 - 2 * rows @ rows.T).clamp(min=0).sqrt()
    numbers = torch.as_tensor(groups)
    pairs = torch.ones_like(distances, dtype=torch.bool).triu(1)
    same = numbers[:, None] == numbers[None, :]
    inside, between = distances[pairs & same], distances[pairs & ~same]
    if not len(inside) or not len(between):
        raise EvaluationError(
            "Distances within and between identities need two identities and two images of one of "
            f"them; got {len(set(groups))} identities over {len(groups)} images."
        )
    return Spread(intra=float(inside.mean()), inter=float(between.mean()))
