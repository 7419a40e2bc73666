"""t-SNE of embeddings, and how far identities lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from promptreid.errors import EvaluationError
from promptreid.report.extra import need

Points = NDArray[np.float64]

_PERPLEXITY = (5.0, 30.0)
_FEWEST = 5


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
    """Measure identities in the space of the embeddings, not in a picture of it.

    Args:
        vectors: (N, D) rows of length 1.
        groups: Number of the identity of each row.

    Returns:
        Means over all pairs of different rows.

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


def tsne_layout(vectors: Tensor, *, seed: int = 0, perplexity: float | None = None) -> Points:
    """Lay embeddings out in the plane (van der Maaten and Hinton, JMLR 2008).

    The start is the first two principal components, so that the seed hardly matters and large
    distances keep some meaning.

    Args:
        vectors: (N, D) rows of length 1.
        seed: Of scikit-learn's random state.
        perplexity: About the number of neighbours that count; None for the root of the number of
            rows, at least 5 and at most 30, and never more than a third of the rows.

    Returns:
        (N, 2) points around the origin.

    Raises:
        ConfigError: scikit-learn is not installed.
        EvaluationError: There are too few rows, or the perplexity is not below their number.
    """
    manifold = need("sklearn.manifold")
    count = len(vectors)
    if count < _FEWEST:
        raise EvaluationError(f"t-SNE needs {_FEWEST} images at least, got {count}.")
    if perplexity is None:
        low, high = _PERPLEXITY
        perplexity = min(max(low, count**0.5), high, (count - 1) / 3)
    if not 0 < perplexity < count:
        raise EvaluationError(
            f"perplexity is {perplexity:g}; for {count} images it must be between 0 and {count}."
        )
    method = manifold.TSNE(
        n_components=2, init="pca", perplexity=perplexity, random_state=seed, learning_rate="auto"
    )
    points = method.fit_transform(vectors.double().numpy()).astype(np.float64)
    return points - points.mean(axis=0)


def turned_towards(points: Points, reference: Points) -> Points:
    """Turn or mirror a layout so that it lies over another as well as it can.

    The axes of t-SNE mean nothing, and neighbours stay what they are; but two panels that are
    turned alike are easier to compare (orthogonal Procrustes problem; Schönemann 1966).

    Args:
        points: (N, 2) centred.
        reference: (N, 2) centred, row for row the same images.

    Returns:
        (N, 2) the points, turned.
    """
    left, _, right = np.linalg.svd(points.T @ reference)
    return points @ (left @ right)
