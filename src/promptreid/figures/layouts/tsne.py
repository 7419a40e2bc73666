"""t-SNE of embeddings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from promptreid.errors import EvaluationError
from promptreid.figures.extra import need

Points = NDArray[np.float64]

_PERPLEXITY = (5.0, 30.0)
_FEWEST = 5


def tsne_layout(vectors: Tensor, *, seed: int = 0, perplexity: float | None = None) -> Points:
    """Lay embeddings out in the plane (van der Maaten and Hinton, JMLR 2008).

    The start is the first two principal components, so that the seed hardly matters and large
    distances keep some meaning.

    Args:
        vectors: (N, D) rows of length 1.
        seed: Seed of scikit-learn's random state.
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
    # A step is so short that threads would only wait for each other, for long on a busy machine.
    with need("threadpoolctl").threadpool_limits(1):
        points = method.fit_transform(vectors.double().numpy()).astype(np.float64)
    return points - points.mean(axis=0)
