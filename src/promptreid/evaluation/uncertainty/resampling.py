"""Bootstrap over identities: how often each identity is drawn, and what that makes of rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from promptreid.errors import EvaluationError
from promptreid.evaluation.verification.accepted_pairs import AcceptedPairs


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: whole identities are drawn anew, with replacement.

    Attributes:
        resamples: Number of draws.
        seed: Seed of the draws; the same seed gives the same draws.
        level: Share of the resampled values that lie inside an interval, above 0 and below 1.

    Raises:
        EvaluationError: A number is out of range.
    """

    resamples: int = 1000
    seed: int = 0
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.resamples < 1 or not 0 < self.level < 1:
            raise EvaluationError(
                "Intervals need at least one resample and a level between 0 and 1; got "
                f"{self.resamples} resamples and level {self.level:g}."
            )

    def weights(self, identities: int) -> Tensor:
        """Draw as many of I identities as there are, again and again.

        Returns:
            (resamples, I) float64: how often each identity is in each resample.
        """
        generator = np.random.default_rng(self.seed)
        weights = np.empty((self.resamples, identities))
        for row in range(self.resamples):
            drawn = generator.integers(identities, size=identities)
            weights[row] = np.bincount(drawn, minlength=identities)
        return torch.from_numpy(weights)

    def percentiles(self, values: Tensor) -> tuple[float, float]:
        """Give the percentiles between which `level` of the known values lie, NaN without any."""
        known = values[~values.isnan()]
        if not len(known):
            return float("nan"), float("nan")
        ends = known.new_tensor([(1 - self.level) / 2, (1 + self.level) / 2])
        low, high = torch.quantile(known, ends).tolist()
        return low, high


BOOTSTRAP = Bootstrap()
"""The draws that all intervals are made of where nothing else is asked for."""


def group_sums(values: Tensor, rows: Sequence[int] | Tensor, groups: int) -> Tensor:
    """Add up the values of each group, (groups, K) float64.

    Args:
        values: (Q, K).
        rows: Q group numbers.
        groups: Number of groups.
    """
    total = torch.zeros(groups, values.shape[1], dtype=torch.float64)
    return total.index_add_(0, torch.as_tensor(rows, dtype=torch.int64), values.double())


def resampled_means(weights: Tensor, values: Tensor, rows: Sequence[int] | Tensor) -> Tensor:
    """Average values in every resample, (R, K) float64, NaN where a resample has none.

    Args:
        weights: (R, I), how often each identity is drawn.
        values: (Q, K).
        rows: Q numbers of identities.
    """
    groups = weights.shape[1]
    counts = group_sums(torch.ones(len(values), 1), rows, groups)
    return (weights @ group_sums(values, rows, groups)) / (weights @ counts)


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
        within = self._false <= far * self._impostors[:, None] * (1 + 1e-12)
        first = within.to(torch.uint8).argmax(1)
        tar = self._true.gather(1, first[:, None])[:, 0] / self._genuine
        return torch.where(within.any(1), tar, torch.where(self._genuine > 0, 0.0, torch.nan))

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
        eer = (start + (stop - start) * -low / (high - low))[:, 0]
        known = (self._genuine > 0) & (self._impostors > 0)
        return torch.where(known, eer, torch.nan)
