"""The outcome of verification in one repeat of a protocol."""

from __future__ import annotations

from dataclasses import dataclass, field

from promptreid.errors import EvaluationError
from promptreid.evaluation.verification.roc import Curve, OperatingPoint
from promptreid.json_record import JsonRecord


@dataclass(frozen=True)
class Histogram(JsonRecord):
    """How many pairs of each kind score how much.

    Attributes:
        edges: K + 1 edges, rising; a bin holds its lower edge, the last bin both.
        genuine: K numbers of genuine pairs.
        impostors: K numbers of impostor pairs.
    """

    edges: tuple[float, ...]
    genuine: tuple[int, ...]
    impostors: tuple[int, ...]


@dataclass(frozen=True)
class VerificationResult:
    """Verification over all pairs of one repeat.

    Attributes:
        points: One for each false accept rate asked for, in that order.
        eer: Equal error rate, FAR where it equals 1 - TAR on the curve.
        eer_threshold: The highest score from which on FAR is at least 1 - TAR.
        auc: Area under the curve.
        genuine: Number of pairs of one identity.
        impostors: Number of pairs of different identities.
        curve: Points for drawing ROC and DET.
        histogram: How scores of both kinds spread.
        grid: A few thousand thresholds, rising, that stand for all, see
            `promptreid.evaluation.verification.threshold_grid`.
            Which ones depends on the block size.
    """

    points: tuple[OperatingPoint, ...]
    eer: float
    eer_threshold: float
    auc: float
    genuine: int
    impostors: int
    curve: Curve
    histogram: Histogram
    grid: tuple[float, ...] = field(default=(), compare=False, repr=False)

    def point(self, far: float) -> OperatingPoint:
        """Give the operating point of one of the rates asked for.

        Raises:
            EvaluationError: The rate was not asked for.
        """
        for point in self.points:
            if point.far == far:
                return point
        known = ", ".join(f"{point.far:g}" for point in self.points)
        raise EvaluationError(f"No threshold for FAR {far:g} was computed; there are {known}.")
