"""Scores by what is known of the query: whom does the model fail?

All groups are judged at one threshold, the one that gives all queries together the false accept
rate asked for, because a system has one threshold for everyone. A group's FAR may therefore be far
from that rate, and its TAR is what its members get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.name_order import name_key
from promptreid.data.protocol import Protocol
from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.uncertainty.intervals import (
    FEWEST_IDENTITIES,
    LEVEL,
    RESAMPLES,
    Interval,
    percentiles,
)
from promptreid.evaluation.uncertainty.query_groups import (
    Outcomes,
    column_values,
    measured_rate,
    pair_outcomes,
    query_outcomes,
)
from promptreid.evaluation.uncertainty.resampling import draw_weights, group_sums
from promptreid.evaluation.verification.accepted_pairs import AcceptedPairs, accepted_protocol
from promptreid.evaluation.verification.verification import Verification

PAIR = "-pair"
"""Ending of the name of an attribute that groups by query value and gallery value."""

BETTER_HIGH = {"mAP": True, "rank-1": True, "TAR": True, "FAR": False}


@dataclass(frozen=True)
class Group:
    """The queries of one value.

    Attributes:
        name: The value, or "query value > gallery value".
        identities: Number of identities among the queries of all repeats.
        queries: Number of queries; one that several repeats draw counts once.
        scores: mAP, rank-1, TAR and FAR with intervals: means over the repeats. A score that
            nothing in the group makes is left out.
        few: Whether there are too few identities to say anything.
    """

    name: str
    identities: int
    queries: int
    scores: Mapping[str, Interval]
    few: bool

    def to_dict(self) -> dict[str, object]:
        """Return all fields, JSON-ready."""
        return {
            "name": self.name,
            "identities": self.identities,
            "queries": self.queries,
            "few": self.few,
            "scores": {name: interval.to_dict() for name, interval in self.scores.items()},
        }


@dataclass(frozen=True)
class Gap:
    """The largest difference between two groups in one score.

    Attributes:
        score: Its name.
        best: The group that fares best.
        worst: The group that fares worst.
        value: The difference, never negative.
        low: Lower end of the interval. The two groups were picked for being far apart, so the
            interval flatters the difference where there are many groups.
        high: Upper end.
    """

    score: str
    best: str
    worst: str
    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, str | float]:
        """Return all fields, JSON-ready."""
        return {
            "score": self.score,
            "best": self.best,
            "worst": self.worst,
            "value": self.value,
            "low": self.low,
            "high": self.high,
        }


@dataclass(frozen=True)
class Breakdown:
    """Scores by the values of one attribute of the query.

    Attributes:
        attribute: Its name.
        far: The false accept rate that gives the threshold of TAR and FAR.
        groups: In order of their names, numbers by value.
        gaps: The largest one of each score, over the groups that are not too small.
        missing: Queries without a value; one that several repeats draw counts once.
        level: Share of the resamples inside each interval.
    """

    attribute: str
    far: float
    groups: tuple[Group, ...]
    gaps: tuple[Gap, ...]
    missing: int
    level: float

    def to_dict(self) -> dict[str, object]:
        """Return all fields, JSON-ready."""
        return {
            "attribute": self.attribute,
            "far": self.far,
            "level": self.level,
            "missing": self.missing,
            "groups": [group.to_dict() for group in self.groups],
            "gaps": [gap.to_dict() for gap in self.gaps],
        }


def break_down(
    attribute: str,
    manifest: Manifest,
    embeddings: Embeddings,
    protocol: Protocol,
    scores: Scores,
    verification: Verification,
    *,
    far: float = 1e-3,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    accepted: Sequence[AcceptedPairs] | None = None,
) -> Breakdown:
    """Score the queries of each value of an attribute.

    Args:
        attribute: "camera", "view", "domain" or an attribute of the manifest; with "-pair" behind
            it, each value of the query against each value of the gallery ("camera-pair").
        manifest: One row for each row that the protocol numbers.
        embeddings: One row for each, likewise.
        protocol: The one that was scored.
        scores: With the outcome of each query.
        verification: Of the same embeddings and protocol.
        far: Rate for the threshold; the next larger one that can be measured if this cannot.
        resamples: Number of resamples of the identities.
        seed: Of the resamples.
        level: Share of the resamples inside each interval.
        accepted: What `accepted_protocol` gives by query, where it is known already, as after
            another attribute; None to count it.

    Raises:
        EvaluationError: There is no such attribute, no rate can be measured, or queries were
            joined.
    """
    rate = measured_rate(verification, far)
    paired = attribute.endswith(PAIR) and attribute not in manifest.attributes
    values = column_values(manifest, attribute.removesuffix(PAIR) if paired else attribute)
    if len(values) != len(embeddings):
        raise EvaluationError(
            f"The manifest has {len(values)} rows, the embeddings {len(embeddings)}; both must be "
            "of the images that the protocol numbers."
        )
    if paired:
        outcomes = pair_outcomes(values, embeddings, protocol, verification, ap=scores.ap, far=rate)
    else:
        if accepted is None:
            accepted = accepted_protocol(embeddings, protocol, verification, by="query")
        outcomes = query_outcomes(values, protocol, scores, verification, accepted, rate)
    return summarise_groups(
        attribute, outcomes, far=rate, resamples=resamples, seed=seed, level=level
    )


def summarise_groups(
    attribute: str,
    outcomes: Sequence[Outcomes],
    *,
    far: float,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Breakdown:
    """Score each group, and find the largest gaps.

    Args:
        attribute: For the record.
        outcomes: One for each repeat.
        far: For the record.
        resamples: Number of resamples of the identities of all groups together.
        seed: Of the resamples.
        level: Share of the resamples inside each interval.
    """
    identities = sorted({name for part in outcomes for name in part.identities})
    numbers = {name: number for number, name in enumerate(identities)}
    weights = draw_weights(len(identities), resamples, seed)
    # The first row counts everyone once: the scores themselves.
    weights = torch.cat([torch.ones(1, len(identities), dtype=torch.float64), weights])
    names = sorted({name for part in outcomes for name in part.groups} - {""}, key=_order)
    drawn = {name: _resampled(name, outcomes, numbers, weights) for name in names}
    groups = tuple(_group(name, outcomes, drawn[name], level) for name in names)
    return Breakdown(
        attribute=attribute,
        far=far,
        groups=groups,
        gaps=_gaps([group for group in groups if not group.few], drawn, level),
        missing=len(_queries("", outcomes)),
        level=level,
    )


def _order(name: str) -> tuple[tuple[int, int, str, str], ...]:
    """Order by the words of a name one after the other, numbers by value."""
    return tuple(name_key(word) for word in name.split(" "))


def _resampled(
    name: str, outcomes: Sequence[Outcomes], numbers: Mapping[str, int], weights: Tensor
) -> dict[str, Tensor]:
    """Return the scores of one group, then those of every resample, (1 + R,) each."""
    repeats: list[Tensor] = []
    for part in outcomes:
        member = torch.tensor([group == name for group in part.groups])
        if not bool(member.any()):
            continue
        found = (member & part.found).double()
        inside = member.double()
        columns = (
            torch.where(part.found, part.precision, 0.0) * found,
            found,
            part.first * found,
            found,
            part.true * inside,
            part.genuine * inside,
            part.false * inside,
            part.impostors * inside,
        )
        rows = [numbers[identity] for identity in part.identities]
        sums = weights @ group_sums(torch.stack(columns, dim=1), rows, len(numbers))
        repeats.append(sums[:, 0::2] / sums[:, 1::2])
    # A resample may lack the group in some repeat; the mean is over the others.
    means = torch.stack(repeats).nanmean(0)
    return dict(zip(BETTER_HIGH, means.unbind(1), strict=True))


def _group(
    name: str, outcomes: Sequence[Outcomes], drawn: Mapping[str, Tensor], level: float
) -> Group:
    queries = _queries(name, outcomes)
    count = len(set(queries.values()))
    scores = {
        score: Interval(float(values[0]), *percentiles(values[1:], level))
        for score, values in drawn.items()
        if not bool(values[0].isnan())
    }
    return Group(name, count, len(queries), scores, count < FEWEST_IDENTITIES)


def _queries(name: str, outcomes: Sequence[Outcomes]) -> dict[int, str]:
    """Return the identity of each query of a group, however many repeats draw it."""
    return {
        row: identity
        for part in outcomes
        for group, row, identity in zip(part.groups, part.rows, part.identities, strict=True)
        if group == name
    }


def _gaps(
    groups: Sequence[Group], drawn: Mapping[str, Mapping[str, Tensor]], level: float
) -> tuple[Gap, ...]:
    """Return the largest gap of each score that at least two groups have."""
    gaps = []
    for score, high in BETTER_HIGH.items():
        having = [group for group in groups if score in group.scores]
        if len(having) < 2:
            continue
        ordered = sorted(having, key=lambda group: group.scores[score].value, reverse=high)
        best, worst = ordered[0].name, ordered[-1].name
        change = drawn[best][score] - drawn[worst][score]
        change = change if high else -change
        gaps.append(Gap(score, best, worst, float(change[0]), *percentiles(change[1:], level)))
    return tuple(gaps)
