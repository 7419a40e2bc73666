"""Bootstrap over identities: how often each identity is drawn, and what that makes of rates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from promptreid.evaluation.verification.accepted_pairs import AcceptedPairs


def draw_weights(identities: int, resamples: int, seed: int) -> Tensor:
    """Draw as many identities as there are, with replacement, again and again.

    Args:
        identities: Number I of identities.
        resamples: Number R of draws.
        seed: Of the draws; the same seed gives the same draws.

    Returns:
        (R, I) float64: how often each identity is in each resample.
    """
    generator = np.random.default_rng(seed)
    weights = np.empty((resamples, identities))
    for row in range(resamples):
        drawn = generator.integers(identities, size=identities)
        weights[row] = np.bincount(drawn, minlength=identities)
    return torch.from_numpy(weights)


def group_sums(values: Tensor, rows: Sequence[int], groups: int) -> Tensor:
    """Add up the values of each group.

    Args:
        values: (Q, K).
        rows: Q group numbers.
        groups: Number of groups.

    Returns:
        (groups, K) float64.
    """
    total = torch.zeros(groups, values.shape[1], dtype=torch.float64)
    return total.index_add_(0, torch.as_tensor(rows, dtype=torch.int64), values.double())


def weighted_means(weights: Tensor, sums: Tensor, counts: Tensor) -> Tensor:
    """Average per-query values over resamples.

    Args:
        weights: (R, I).
        sums: (I, K) sum of the values of each identity's queries.
        counts: (I,) number of those queries.

    Returns:
        (R, K) float64, NaN where a resample has no query.
    """
    return (weights @ sums) / (weights @ counts.double())[:, None]


class RateResamples:
    """TAR, FAR and EER of every resample, on the thresholds of one table of accepted pairs.

    With thresholds at every score the values are exact for each resample; otherwise they are those
    of the curve through the thresholds there are.

    Args:
        accepted: One row per identity.
        weights: (R, I), its columns in the order of the rows of `accepted`.
    """

    def __init__(self, accepted: AcceptedPairs, weights: Tensor) -> None:
        self._true = weights @ accepted.true.double()
        self._false = weights @ accepted.false.double()
        self._genuine = weights @ accepted.genuine.double()
        self._impostors = weights @ accepted.impostors.double()

    def tar(self, far: float) -> Tensor:
        """Give the largest TAR whose FAR is at most `far`, (R,); 0 where no threshold keeps it."""
        # Thresholds rise, so FAR falls: the first column that keeps the rate.
        kept = self._false <= far * self._impostors[:, None] * (1 + 1e-12)
        first = kept.to(torch.uint8).argmax(1)
        found = self._true.gather(1, first[:, None])[:, 0] / self._genuine
        return torch.where(kept.any(1), found, torch.where(self._genuine > 0, 0.0, torch.nan))

    def eer(self) -> Tensor:
        """Give FAR where the curve meets FAR = 1 - TAR, (R,)."""
        # From the strictest threshold to the loosest, between the ends of every curve.
        zeros = torch.zeros(len(self._true), 1, dtype=torch.float64)
        ends = zeros, zeros + 1
        far = torch.cat([ends[0], (self._false / self._impostors[:, None]).flip(1), ends[1]], dim=1)
        tar = torch.cat([ends[0], (self._true / self._genuine[:, None]).flip(1), ends[1]], dim=1)
        balance = far + tar - 1
        after = (balance >= 0).to(torch.uint8).argmax(1, keepdim=True)
        before = (after - 1).clamp_(min=0)
        low, high = balance.gather(1, before), balance.gather(1, after)
        start, stop = far.gather(1, before), far.gather(1, after)
        found = (start + (stop - start) * -low / (high - low))[:, 0]
        known = (self._genuine > 0) & (self._impostors > 0)
        return torch.where(known, found, torch.nan)
