"""The receiver operating characteristic from where the genuine scores stand among the impostors.

A pair is accepted when its score is at least the threshold. The false accept rate (FAR) is the
share of impostor pairs that are accepted, the true accept rate (TAR) that of genuine pairs. The
curve joins the points of all thresholds by straight lines; where genuine and impostor pairs have
the same score it runs diagonally, as if half of the ties were on either side.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from promptreid.evaluation.verification.float_order import next_above
from promptreid.json_record import JsonRecord

CURVE_POINTS = 400
RELIABLE = 30
"""Fewer accepted impostor pairs than this leave a rate uncertain by more than a third."""


@dataclass(frozen=True, eq=False)
class GenuineRanks:
    """Where each distinct genuine score stands among all pairs; exact counts.

    Attributes:
        scores: (D,) float32 distinct genuine scores, falling.
        accepted: (D,) int64 genuine pairs that score at least as much.
        above: (D,) int64 impostor pairs that score more.
        reaching: (D,) int64 impostor pairs that score at least as much.
        impostors: Number of impostor pairs.
    """

    scores: Tensor
    accepted: Tensor
    above: Tensor
    reaching: Tensor
    impostors: int

    @property
    def genuine(self) -> int:
        """Number of genuine pairs."""
        return int(self.accepted[-1])

    def corners(self) -> tuple[Tensor, Tensor, Tensor]:
        """Give the corners of the curve from (0, 0) to (all, all).

        Returns:
            (2 D + 1,) impostor and genuine pairs accepted at each corner, and the thresholds. The
            corner after the last has threshold minus infinity: all pairs are accepted.
        """
        before = torch.cat([self.accepted.new_zeros(1), self.accepted[:-1]])
        false = torch.stack([self.above, self.reaching], dim=1).view(-1)
        true = torch.stack([before, self.accepted], dim=1).view(-1)
        thresholds = torch.stack([next_above(self.scores), self.scores], dim=1).view(-1)
        return (
            torch.cat([false, false.new_tensor([self.impostors])]),
            torch.cat([true, true.new_tensor([self.genuine])]),
            torch.cat([thresholds, thresholds.new_tensor([-torch.inf])]),
        )

    def auc(self) -> float:
        """Compute the area under the curve: P(genuine > impostor) + P(equal) / 2."""
        weight, half = self.accepted.diff(prepend=self.accepted.new_zeros(1)), 31
        both = self.above + self.reaching
        # In two halves, since numbers of pairs times numbers of pairs do not fit into 64 bits.
        high, low = both >> half, both & (1 << half) - 1
        missed = (int((weight * high).sum()) << half) + int((weight * low).sum())
        return float(1 - Fraction(missed, 2 * self.genuine * self.impostors))

    def eer(self) -> float:
        """Compute the equal error rate: FAR where the curve meets FAR = 1 - TAR."""
        false, true, _ = self.corners()
        start = false.new_zeros(1)
        false, missed = torch.cat([start, false]), self.genuine - torch.cat([start, true])
        after = find_equal_errors(false, missed, self.impostors, self.genuine)
        low, high = (
            int(false[place]) * self.genuine - int(missed[place]) * self.impostors
            for place in (after - 1, after)
        )
        step = Fraction(-low, high - low) * int(false[after] - false[after - 1])
        return float((int(false[after - 1]) + step) / self.impostors)

    def accepted_within(self, false_accepts: int) -> tuple[int, float]:
        """Find the most genuine pairs that a threshold accepts within a number of false accepts.

        Returns:
            Their number, and the smallest genuine score among them (infinity for none).
        """
        place = int(torch.searchsorted(self.reaching, false_accepts, right=True))
        if not place:
            return 0, float("inf")
        return int(self.accepted[place - 1]), float(self.scores[place - 1])


def find_equal_errors(false: Tensor, missed: Tensor, impostors: int, genuine: int) -> int:
    """Return the first place where FAR is at least 1 - TAR.

    Few places are looked at, by whole numbers of any length, since numbers of pairs times numbers
    of pairs do not fit into 64 bits.

    Args:
        false: (K,) int64 impostor pairs that are accepted, rising.
        missed: (K,) int64 genuine pairs that are not, falling; the last place is right.
        impostors: Number of impostor pairs.
        genuine: Number of genuine pairs.
    """

    def reaches(place: int) -> bool:
        return int(false[place]) * genuine >= int(missed[place]) * impostors

    return bisect.bisect_left(range(len(false)), True, key=reaches)


@dataclass(frozen=True)
class Curve:
    """Points of the curve from the strictest threshold to the loosest.

    Attributes:
        far: False accept rates, rising. The false reject rate of a DET curve is 1 - TAR.
        tar: True accept rates, rising.
        thresholds: Pairs with at least this score are accepted; the last is minus infinity, which
            accepts all.
    """

    far: tuple[float, ...]
    tar: tuple[float, ...]
    thresholds: tuple[float, ...]

    @property
    def frr(self) -> tuple[float, ...]:
        """False reject rates 1 - TAR, the vertical axis of a DET curve."""
        return tuple(1 - value for value in self.tar)

    def to_dict(self) -> dict[str, list[float | None]]:
        """Return the points, JSON-ready; the threshold that accepts all is None."""
        return {
            "far": list(self.far),
            "tar": list(self.tar),
            "threshold": [None if value == float("-inf") else value for value in self.thresholds],
        }


def draw_curve(ranks: GenuineRanks) -> Curve:
    """Pick corners of the exact curve for drawing, on linear and on logarithmic axes.

    All corners are kept if there are no more than `CURVE_POINTS`; otherwise about as many, spread
    evenly over TAR, FAR and the logarithms of FAR and of 1 - TAR.
    """
    false, true, thresholds = ranks.corners()
    far, tar = false / ranks.impostors, true / ranks.genuine
    if len(far) > CURVE_POINTS:
        even = torch.linspace(0, 1, CURVE_POINTS // 4, dtype=torch.float64)
        axes = (
            far.double(),
            tar.double(),
            (false.double() + 1).log(),
            -(ranks.genuine - true + 1).double().log(),
        )
        picks = []
        for axis in axes:
            wanted = axis[0] + even * (axis[-1] - axis[0])
            picks.append(torch.searchsorted(axis.contiguous(), wanted).clamp_(max=len(axis) - 1))
        rows = torch.cat([*picks, torch.tensor([0, len(far) - 1])]).unique()
        false, true, thresholds = false[rows], true[rows], thresholds[rows]
    return Curve(
        far=tuple((false.double() / ranks.impostors).tolist()),
        tar=tuple((true.double() / ranks.genuine).tolist()),
        thresholds=tuple(thresholds.tolist()),
    )


@dataclass(frozen=True)
class OperatingPoint(JsonRecord):
    """What a threshold for one false accept rate does.

    Attributes:
        far: The false accept rate asked for.
        threshold: The lowest score that is accepted; the lowest score among all pairs for which
            no more than `far` of the impostor pairs are accepted. None if `far` cannot be measured.
        tar: Share of the genuine pairs that are accepted. None if `far` cannot be measured.
        false_accepts: Impostor pairs that are accepted.
        impostors: Number of impostor pairs. A rate below 1 / `impostors` cannot be measured.
    """

    far: float
    threshold: float | None
    tar: float | None
    false_accepts: int
    impostors: int


def allowed_accepts(far: float, impostors: int) -> int:
    """Say how many impostor pairs may be accepted: far x impostors, rounded down.

    The rate counts as the decimal number that is written, so that 0.29 of 100 is 29.
    """
    return int(Fraction(repr(float(far))) * impostors)
