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

from promptreid.data.manifest.name_order import name_key
from promptreid.evaluation.uncertainty.intervals import FEWEST_IDENTITIES, Interval
from promptreid.evaluation.uncertainty.query_groups import Outcomes
from promptreid.evaluation.uncertainty.resampling import BOOTSTRAP, Bootstrap, group_sums
from promptreid.json_record import JsonRecord

BETTER_HIGH = {"mAP": True, "rank-1": True, "TAR": True, "FAR": False}


@dataclass(frozen=True)
class Group(JsonRecord):
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


@dataclass(frozen=True)
class Gap(JsonRecord):
    """The largest difference between two groups in one score.

    Attributes:
        score: Name of the score.
        best: The group that fares best.
        worst: The group that fares worst.
        value: The difference, never negative.
        low: Lower end of the interval. The two groups were picked for being far apart, so the
            interval flatters the difference where there are many groups.
        high: Upper end of the interval.
    """

    score: str
    best: str
    worst: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Breakdown(JsonRecord):
    """Scores by the values of one attribute of the query.

    Attributes:
        attribute: Name of the attribute.
        far: The false accept rate that gives the threshold of TAR and FAR.
        groups: The groups in order of their names, numbers by value.
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


def summarise_groups(
    attribute: str,
    outcomes: Sequence[Outcomes],
    far: float,
    bootstrap: Bootstrap = BOOTSTRAP,
) -> Breakdown:
    """Score each group of the outcomes of all repeats, and find the largest gaps.

    The identities of all groups together are drawn.
    """
    identities = sorted({name for part in outcomes for name in part.identities})
    numbers = {name: number for number, name in enumerate(identities)}
    weights = bootstrap.weights(len(identities))
    # The first row counts everyone once: the scores themselves.
    weights = torch.cat([torch.ones(1, len(identities), dtype=torch.float64), weights])
    names = sorted({name for part in outcomes for name in part.groups} - {""}, key=_make_sort_key)
    drawn = {name: _resample_group(name, outcomes, numbers, weights) for name in names}
    groups = tuple(_summarise_group(name, outcomes, drawn[name], bootstrap) for name in names)
    return Breakdown(
        attribute=attribute,
        far=far,
        groups=groups,
        gaps=_find_gaps([group for group in groups if not group.few], drawn, bootstrap),
        missing=len(_list_queries("", outcomes)),
        level=bootstrap.level,
    )


def _make_sort_key(name: str) -> tuple[tuple[int, int, str, str], ...]:
    """Order by the words of a name one after the other, numbers by value."""
    return tuple(name_key(word) for word in name.split(" "))


def _resample_group(
    name: str, outcomes: Sequence[Outcomes], numbers: Mapping[str, int], weights: Tensor
) -> dict[str, Tensor]:
    """Return the scores of one group, then those of every resample, (1 + R,) each."""
    repeats: list[Tensor] = []
    for part in outcomes:
        member = torch.tensor([group == name for group in part.groups])
        if not bool(member.any()):
            continue
        matched = (member & part.matched).double()
        inside = member.double()
        columns = (
            torch.where(part.matched, part.precision, 0.0) * matched,
            matched,
            part.first * matched,
            matched,
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


def _summarise_group(
    name: str, outcomes: Sequence[Outcomes], drawn: Mapping[str, Tensor], bootstrap: Bootstrap
) -> Group:
    queries = _list_queries(name, outcomes)
    count = len(set(queries.values()))
    scores = {
        score: Interval(float(values[0]), *bootstrap.percentiles(values[1:]))
        for score, values in drawn.items()
        if not bool(values[0].isnan())
    }
    return Group(name, count, len(queries), scores, count < FEWEST_IDENTITIES)


def _list_queries(name: str, outcomes: Sequence[Outcomes]) -> dict[int, str]:
    """Return the identity of each query of a group, however many repeats draw it."""
    return {
        row: identity
        for part in outcomes
        for group, row, identity in zip(part.groups, part.rows, part.identities, strict=True)
        if group == name
    }


def _find_gaps(
    groups: Sequence[Group], drawn: Mapping[str, Mapping[str, Tensor]], bootstrap: Bootstrap
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
        gaps.append(Gap(score, best, worst, float(change[0]), *bootstrap.percentiles(change[1:])))
    return tuple(gaps)
