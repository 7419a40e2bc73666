"""Verification: are two images of the same identity? Exact rates over all pairs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.multi_query import join_queries, select_repeats
from promptreid.evaluation.ranking.scoring_rules import camera_rule, protocol_rule
from promptreid.evaluation.verification.pair_ranks import rank_pairs
from promptreid.evaluation.verification.pairs import Pairs
from promptreid.evaluation.verification.roc import RELIABLE
from promptreid.evaluation.verification.verification_result import VerificationResult

if TYPE_CHECKING:
    from promptreid.data.protocol import Protocol

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class Verification:
    """Verification by a protocol, as fractions of 1: the mean over its repeats.

    Attributes:
        protocol: Name of the protocol.
        same_camera: What was done with pairs of one identity and one camera, "exclude" or "keep".
            Pairs of different identities always count.
        per_repeat: Each repeat.
        note: What a reader should know, in a sentence; may be empty.
        multi_query: How queries were joined; None for single ones.
    """

    protocol: str
    same_camera: str
    per_repeat: tuple[VerificationResult, ...]
    note: str = ""
    multi_query: str | None = None

    @property
    def fars(self) -> tuple[float, ...]:
        """The false accept rates asked for."""
        return tuple(point.far for point in self.per_repeat[0].points)

    @property
    def eer(self) -> float:
        """Equal error rate."""
        return self._mean(lambda repeat: repeat.eer)

    @property
    def eer_threshold(self) -> float:
        """Mean of the thresholds at which each repeat has its equal error rate."""
        return self._mean(lambda repeat: repeat.eer_threshold)

    @property
    def auc(self) -> float:
        """Area under the ROC curve."""
        return self._mean(lambda repeat: repeat.auc)

    def tar(self, far: float) -> float | None:
        """Give TAR at a false accept rate; None if a repeat is too small to measure it."""
        return mean_if_known([repeat.point(far).tar for repeat in self.per_repeat])

    def threshold(self, far: float) -> float | None:
        """Give the mean threshold for a rate; None if a repeat is too small to measure it."""
        return mean_if_known([repeat.point(far).threshold for repeat in self.per_repeat])

    def reliable(self, far: float) -> bool:
        """Tell whether TAR at a rate rests on enough accepted impostor pairs in every repeat.

        Fewer than 30 leave the rate uncertain by more than a third (rule of 30: Doddington et al.,
        "The NIST speaker recognition evaluation", 2000).
        """
        points = [repeat.point(far) for repeat in self.per_repeat]
        return all(p.tar is not None and p.false_accepts >= RELIABLE for p in points)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready; the curve and the histogram are the first repeat's."""
        first = self.per_repeat[0]
        return {
            "protocol": self.protocol,
            "repeats": len(self.per_repeat),
            "same_camera": self.same_camera,
            "multi_query": self.multi_query,
            "eer": self.eer,
            "auc": self.auc,
            "tar": [
                {
                    "far": far,
                    "tar": self.tar(far),
                    "threshold": self.threshold(far),
                    "reliable": self.reliable(far),
                }
                for far in self.fars
            ],
            "note": self.note,
            "per_repeat": [
                {
                    "eer": repeat.eer,
                    "eer_threshold": repeat.eer_threshold,
                    "auc": repeat.auc,
                    "genuine": repeat.genuine,
                    "impostors": repeat.impostors,
                    "points": [point.to_dict() for point in repeat.points],
                }
                for repeat in self.per_repeat
            ],
            "curve": first.curve.to_dict(),
            "histogram": first.histogram.to_dict(),
        }

    def _mean(self, value: Callable[[VerificationResult], float]) -> float:
        return statistics.fmean(value(repeat) for repeat in self.per_repeat)


def verify(
    query: Embeddings,
    gallery: Embeddings,
    *,
    same_camera: str = "auto",
    fars: Sequence[float] = FARS,
    protocol: str = "custom",
    multi_query: str | None = None,
    block: int | None = None,
) -> Verification:
    """Compute verification rates over all pairs of query and gallery by cosine.

    Exact: thresholds are scores of pairs, found by counting and never by sampling. The pairs are
    computed twice, one block of queries at a time, so memory grows with a block and with the
    genuine pairs alone. Passing the same object twice takes each pair of two images once.

    Args:
        query: The queries.
        gallery: The gallery, of the same dimension.
        same_camera: "exclude" leaves out pairs of one identity and one camera, "keep" counts them,
            "auto" excludes if every image has a camera.
        fars: False accept rates to find thresholds for, above 0 and below 1.
        protocol: Name for the result.
        multi_query: Join queries first, see `promptreid.evaluation.ranking.multi_query`.
        block: Queries per block; None picks a block of about 16 MiB. Nothing but the choice of
            `grid` depends on it.

    Raises:
        EvaluationError: A rate is out of range, a set is empty, the dimensions differ, or there is
            no genuine or no impostor pair.
    """
    check_rates(fars)
    rule, note = camera_rule(same_camera, query, gallery)
    result = _verify(join_queries(query, multi_query), gallery, rule, fars, block)
    return Verification(protocol, rule, (result,), note, multi_query)


def verify_protocol(
    embeddings: Embeddings,
    protocol: Protocol,
    *,
    same_camera: str | None = None,
    fars: Sequence[float] = FARS,
    multi_query: str | None = None,
) -> Verification:
    """Compute verification rates for every repeat of a protocol.

    Args:
        embeddings: One row per row that the protocol numbers.
        protocol: Query and gallery rows of each repeat, and the camera rule.
        same_camera: "exclude", "keep" or "auto" in place of the protocol's rule; None for that.
        fars: False accept rates to find thresholds for, above 0 and below 1.
        multi_query: How queries are joined first, see `verify`.

    Raises:
        EvaluationError: As for `verify`; or the protocol asks for rows that are not there.
    """
    check_rates(fars)
    rule, note = protocol_rule(embeddings, protocol, same_camera)
    results = tuple(
        _verify(query, gallery, rule, fars)
        for query, gallery in select_repeats(embeddings, protocol, multi_query)
    )
    return Verification(protocol.name, rule, results, note, multi_query)


def check_rates(rates: Sequence[float]) -> None:
    """Refuse false accept rates that are none.

    Raises:
        EvaluationError: There is none, or one is not above 0 and below 1.
    """
    if not rates or not all(0 < rate < 1 for rate in rates):
        listed = ", ".join(f"{rate:g}" for rate in rates) or "none"
        raise EvaluationError(
            f"False accept rates lie between 0 and 1, such as 0.001; got {listed}."
        )


def mean_if_known(values: Sequence[float | None]) -> float | None:
    """Give the mean of values of all repeats; None where a repeat could not measure its own."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def _verify(
    query: Embeddings,
    gallery: Embeddings,
    rule: str,
    fars: Sequence[float],
    block: int | None = None,
) -> VerificationResult:
    pairs = Pairs(query, gallery, exclude_camera=rule == "exclude", once=True, block=block)
    return rank_pairs(pairs, fars)
