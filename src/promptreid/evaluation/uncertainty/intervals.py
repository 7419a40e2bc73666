"""How sure scores are: bootstrap over identities.

Images of one identity are alike, so queries are not independent and resampling single queries
would give intervals that are too narrow. Whole identities are drawn instead, with replacement, as
many as there are; all their queries come along. The gallery is taken as given. Intervals run from
one percentile of the resampled scores to another (Efron and Tibshirani, "An Introduction to the
Bootstrap", 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from promptreid.errors import EvaluationError
from promptreid.evaluation.ranking.scores import QueryResult, Scores
from promptreid.evaluation.uncertainty.resampling import (
    BOOTSTRAP,
    Bootstrap,
    RateResamples,
    resampled_means,
)
from promptreid.evaluation.verification.accepted_pairs import AcceptedPairs
from promptreid.evaluation.verification.verification import Verification
from promptreid.json_record import JsonRecord

FEWEST_IDENTITIES = 10
"""With fewer identities an interval says little: there are too few to draw from."""


@dataclass(frozen=True)
class Interval(JsonRecord):
    """A score and where it lies when identities are drawn anew.

    Attributes:
        value: The score.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference(JsonRecord):
    """How much the first of two runs scores above the second, on the same queries.

    Attributes:
        value: First minus second.
        low: Lower end of the interval.
        high: Upper end.
        above_zero: Share of the resamples in which the first scores more, ties counted half.
    """

    value: float
    low: float
    high: float
    above_zero: float

    def turned(self) -> Difference:
        """Return how much the second scores above the first."""
        return Difference(-self.value, -self.high, -self.low, 1 - self.above_zero)


@dataclass(frozen=True)
class Intervals(JsonRecord):
    """Intervals of all scores of an evaluation.

    Attributes:
        scores: By name: those of `METRICS`, then EER, TAR@FAR=0.001, ...
        level: Share of the resamples inside each interval.
        resamples: Number of resamples.
        identities: Number of identities that are drawn from.
    """

    scores: Mapping[str, Interval]
    level: float
    resamples: int
    identities: int

    @property
    def few(self) -> bool:
        """Whether there are too few identities for the intervals to say much."""
        return self.identities < FEWEST_IDENTITIES

    def to_dict(self) -> dict[str, Any]:
        """Return all fields and `few`, JSON-ready."""
        return {**super().to_dict(), "few": self.few}


@dataclass(frozen=True, eq=False)
class Evidence:
    """What intervals of one run are made of.

    Attributes:
        scores: With the outcome of each query.
        verification: Gives the values of verification scores; None leaves these out.
        accepted: For each repeat, accepted pairs of each identity at thresholds that stand for
            all, as `accepted_protocol` counts them.
    """

    scores: Scores
    verification: Verification | None = None
    accepted: tuple[AcceptedPairs, ...] = ()

    def __post_init__(self) -> None:
        results = self.scores.results
        if not results or not all(len(result.identities) == len(result) for result in results):
            raise EvaluationError(
                "These scores do not say how each query fared, which intervals are made of. Use "
                "scores as `evaluate` or `evaluate_protocol` return them."
            )
        repeats = 0 if self.verification is None else len(self.verification.per_repeat)
        if repeats != len(self.accepted) or (repeats and repeats != len(results)):
            raise EvaluationError(
                f"There are {len(results)} repeats of scores, {repeats} of verification and "
                f"{len(self.accepted)} tables of accepted pairs; all must be of one evaluation."
            )

    def identities(self) -> list[str]:
        """Return the identities of all queries of all repeats, sorted."""
        return sorted({name for result in self.scores.results for name in result.identities})


def intervals(evidence: Evidence, bootstrap: Bootstrap = BOOTSTRAP) -> Intervals:
    """Compute an interval for every score.

    Args:
        evidence: The scores of one run.
        bootstrap: How identities are drawn.
    """
    names = evidence.identities()
    weights = bootstrap.weights(len(names))
    values, resampled = _list_values(evidence), _resample(evidence, names, weights)
    by_name = {
        name: Interval(value, *bootstrap.percentiles(resampled[name]))
        for name, value in values.items()
    }
    return Intervals(by_name, bootstrap.level, bootstrap.resamples, len(names))


def paired_difference(
    first: Evidence, second: Evidence, bootstrap: Bootstrap = BOOTSTRAP
) -> dict[str, Difference]:
    """Compare two runs on the same queries: both are scored on the same drawn identities.

    Args:
        first: One run.
        second: The other, by the same protocol.
        bootstrap: How identities are drawn.

    Returns:
        First minus second for every score that both have.

    Raises:
        EvaluationError: The runs were not scored on the same queries.
    """
    _check_same_queries(first.scores, second.scores)
    names = first.identities()
    weights = bootstrap.weights(len(names))
    values = [_list_values(evidence) for evidence in (first, second)]
    drawn = [_resample(evidence, names, weights) for evidence in (first, second)]
    differences = {}
    for name in values[0]:
        if name not in values[1]:
            continue
        value, changes = values[0][name] - values[1][name], drawn[0][name] - drawn[1][name]
        differences[name] = summarise_changes(value, changes, bootstrap)
    return differences


def summarise_changes(value: float, changes: Tensor, bootstrap: Bootstrap) -> Difference:
    """Describe a difference by its value and by those of all resamples, (R,)."""
    known = changes[~changes.isnan()]
    above = (known > 0).double() + (known == 0).double() / 2
    return Difference(value, *bootstrap.percentiles(known), float(above.mean()))


def _check_same_queries(first: Scores, second: Scores) -> None:
    sides = [
        [(result.identities, result.gallery, result.matches.tolist()) for result in scores.results]
        for scores in (first, second)
    ]
    if sides[0] != sides[1]:
        raise EvaluationError(
            "The two runs were not scored on the same queries and gallery, so their scores cannot "
            "be compared pair by pair. Evaluate both on the same data with the same options."
        )


def _list_values(evidence: Evidence) -> dict[str, float]:
    """Return every score by name, as it is without resampling."""
    values = dict(evidence.scores.values)
    if evidence.verification is not None:
        values["EER"] = evidence.verification.eer
        for far in evidence.verification.fars:
            tar = evidence.verification.tar(far)
            if tar is not None:
                values[tar_name(far)] = tar
    return values


def tar_name(far: float) -> str:
    """Name the true accept rate at a false accept rate."""
    return f"TAR@FAR={far:g}"


def _resample(evidence: Evidence, names: Sequence[str], weights: Tensor) -> dict[str, Tensor]:
    """Return every score in every resample, (R,) each: the mean over the repeats."""
    numbers = {name: number for number, name in enumerate(names)}
    per_repeat = []
    for repeat, result in enumerate(evidence.scores.results):
        resampled = _resample_queries(result, numbers, weights)
        if evidence.verification is not None:
            accepted = evidence.accepted[repeat]
            rows = [numbers[name] for name in accepted.names]
            rates = RateResamples(accepted, weights[:, rows])
            resampled["EER"] = rates.eer()
            for far in evidence.verification.fars:
                resampled[tar_name(far)] = rates.tar(far)
        per_repeat.append(resampled)
    return {
        name: torch.stack([resampled[name] for resampled in per_repeat]).mean(0)
        for name in per_repeat[0]
    }


def _resample_queries(
    result: QueryResult, numbers: Mapping[str, int], weights: Tensor
) -> dict[str, Tensor]:
    """Return the ranking scores of one repeat in every resample."""
    matched = result.matches > 0
    rows = [
        numbers[name]
        for name, counts in zip(result.identities, matched.tolist(), strict=True)
        if counts
    ]
    values = torch.stack([column[matched] for column in result.values.values()], dim=1)
    means = resampled_means(weights, values, rows)
    return dict(zip(result.values, means.unbind(1), strict=True))
