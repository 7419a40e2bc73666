"""The calibrated "nobody": how rare a score is among people who are not enrolled.

A fixed threshold fails as a gallery grows, since the best score of a stranger grows with it. What
an image of somebody enrolled scores against all *others* is nearly what a stranger would have got,
so that the gallery holds its own sample of strangers, one number for each identity: the null
sample.

Enrol the stranger in thought. Then N + 1 people are scored alike, each against the N others, and
where they are exchangeable the stranger is among the k best with probability k/(N+1) at most (the
conformal argument; Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World, 2005). That
raises the null score of nobody but those whose best match the stranger would be. With one image
each, a score is the same from both sides: of all below the stranger's best score s, the stranger's
own best match alone rises to it. So besides the stranger one more is counted, which keeps every
rate: p = (2 + #{null >= s}) / (N + 1).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

_COUNTED_ANYWAY = 2
"""The stranger, and whoever is most alike, who would score as high were the stranger enrolled."""


def p_values(scores: ArrayLike, null: ArrayLike) -> NDArray[np.float64]:
    """Return the conformal p-value of each score.

    Args:
        scores: (Q,) best scores of queries.
        null: (N,) what those who are enrolled score against all others, in any order.

    Returns:
        (Q,) in 2/(N+1)...1: at most so large a part of strangers scores so high.
    """
    ordered = np.sort(np.asarray(null, np.float64))
    below = np.searchsorted(ordered, np.asarray(scores, np.float64), side="left")
    return np.minimum((_COUNTED_ANYWAY + len(ordered) - below) / (len(ordered) + 1), 1)


def least_rate(identities: int) -> float:
    """Return the least rate at which strangers are accepted that so many identities can promise."""
    return min(1.0, _COUNTED_ANYWAY / (identities + 1))


def identities_needed(rate: float) -> int:
    """Return how many identities it takes to promise a rate."""
    return max(1, math.ceil(_COUNTED_ANYWAY / rate - 1e-9) - 1)


def accepting_score(null: ArrayLike, rate: float) -> float:
    """Return the score above which somebody is recognised at a rate; infinity where nobody can be.

    A score is accepted when its p-value is at most the rate; these are all scores above the value
    that is returned.
    """
    ordered = np.sort(np.asarray(null, np.float64))
    allowed = math.floor(rate * (len(ordered) + 1) + 1e-9) - _COUNTED_ANYWAY
    if allowed < 0:  # so many null scores may reach it
        return math.inf
    return float(ordered[len(ordered) - 1 - allowed]) if allowed < len(ordered) else -math.inf
