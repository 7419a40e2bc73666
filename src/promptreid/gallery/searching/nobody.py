"""The calibrated "nobody": how rare a score is among people who are not enrolled.

A fixed threshold fails as a gallery grows, since the best score of a stranger grows with it. What
an image of somebody enrolled scores against all *others* is what a stranger would have got, so
that the gallery holds its own sample of strangers: one number for each identity, the null sample.
The p-value of a score is the conformal one (Vovk, Gammerman & Shafer, Algorithmic Learning in a
Random World, 2005), p = (1 + #{null >= score}) / (N + 1). If strangers and enrolled people are
exchangeable, a stranger is accepted at the rate that is asked for, give or take 1/(N+1): a null
score is measured against one identity fewer than the score of a query.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def p_values(scores: ArrayLike, null: ArrayLike) -> NDArray[np.float64]:
    """Return the conformal p-value of each score.

    Args:
        scores: (Q,) best scores of queries.
        null: (N,) what those who are enrolled score against all others, in any order.

    Returns:
        (Q,) in 1/(N+1)...1: at most so large a part of strangers scores so high.
    """
    ordered = np.sort(np.asarray(null, np.float64))
    below = np.searchsorted(ordered, np.asarray(scores, np.float64), side="left")
    return (1 + len(ordered) - below) / (len(ordered) + 1)


def least_rate(identities: int) -> float:
    """Return the least rate at which strangers are accepted that so many identities can promise."""
    return 1 / (identities + 1)


def identities_needed(rate: float) -> int:
    """Return how many identities it takes to promise a rate."""
    return max(1, math.ceil(1 / rate - 1e-9) - 1)


def accepting_score(null: ArrayLike, rate: float) -> float:
    """Return the score above which somebody is recognised at a rate; infinity where nobody can be.

    A score is accepted when its p-value is at most the rate; these are all scores above the value
    that is returned.
    """
    ordered = np.sort(np.asarray(null, np.float64))
    allowed = math.floor(rate * (len(ordered) + 1) + 1e-9) - 1  # so many null scores may reach it
    if allowed < 0:
        return math.inf
    return float(ordered[len(ordered) - 1 - allowed]) if allowed < len(ordered) else -math.inf
