"""The metrics of retrieval: one table that scores, files, tables, comparisons and reports read.

Every metric is the mean, over the queries that have a match, of one value a query, which is what
lets identities be resampled for its interval. To add one, add its entry to `METRICS`.

Nothing here imports torch: functions work on tensors through their methods, so that commands that
only read scores answer at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from promptreid.errors import EvaluationError, unknown_name

if TYPE_CHECKING:
    from torch import Tensor

    from promptreid.evaluation.ranking.ranks import RankedMatches


@dataclass(frozen=True)
class ScoreKind:
    """What readers must know of a score.

    Attributes:
        name: Name in intervals, differences and reports, such as "rank-1".
        meaning: What it says, in one sentence for people who do not know the field.
        lower_is_better: Whether a smaller value is the better one.
        percent: Whether it is a fraction of 1 that is written in percent.
    """

    name: str
    meaning: str
    lower_is_better: bool = False
    percent: bool = True

    @property
    def scale(self) -> float:
        """What a value is multiplied by before it is written."""
        return 100.0 if self.percent else 1.0

    def text(self, value: float, digits: int = 2, *, sign: bool = False) -> str:
        """Write a value, or with its sign a difference of two, without a unit."""
        return f"{self.scale * value:{'+' if sign else ''}.{digits}f}"

    def improves(self, value: float, best: float, *, margin: float = 0.0) -> bool:
        """Tell whether a value is better than another one by more than a margin."""
        return value < best - margin if self.lower_is_better else value > best + margin


@dataclass(frozen=True, kw_only=True)
class Metric(ScoreKind):
    """A score of rankings: the mean of one value for each query that has a match.

    Attributes:
        per_query: Computes (B,) values of B queries at once from the ranks of their matches; what
            it gives for a query without a match is not read.
        heading: Heading of the metric's column in plain tables.
        definition_of: The metric that this is one definition of; tables that show that one leave
            this one out. Empty for a metric of its own.
        group: Key of `scores.json` under which it stands with others of its kind; empty for the
            top level.
        group_key: Its key within the group.
        validated: Whether validation during training computes it.
    """

    per_query: Callable[[RankedMatches], Tensor]
    heading: str = ""
    definition_of: str = ""
    group: str = ""
    group_key: str = ""
    validated: bool = True

    @property
    def key(self) -> str:
        """Name in commands, recipes, CSV files and trackers, such as "rank1"."""
        return self.name.replace("-", "")

    def is_in(self, values: Mapping[str, Any]) -> bool:
        """Tell whether a result of `scores.json` holds the metric."""
        beside = values.get(self.group, {}) if self.group else values
        return (self.group_key or self.key) in beside

    def read(self, values: Mapping[str, Any]) -> float:
        """Read the metric from a result of `scores.json` that holds it, or from "std" in one."""
        beside = values[self.group] if self.group else values
        return beside[self.group_key or self.key]


def _average_precision(definition: str) -> Callable[[RankedMatches], Tensor]:
    """Give the function that computes one of the two common definitions of average precision.

    With m matches at ranks r_1 < ... < r_m:

    * step: the mean over i of i / r_i, the precision at each match. Used by torchreid, fast-reid,
      TransReID and CLIP-ReID.
    * trapezoid: the mean over i of (i / r_i + (i - 1) / (r_i - 1)) / 2, where the second term is 1
      for r_i = 1: the area under straight lines between the precision just before and at each
      match. Used by the MATLAB code of Market-1501, by Person_reID_baseline_pytorch and MBA-Net.

    A single match at rank r > 1 scores 1 / r by the first and 1 / (2 r) by the second.
    """

    def step(matches: RankedMatches) -> Tensor:
        return matches.precision.sum(1) / matches.count

    def trapezoid(matches: RankedMatches) -> Tensor:
        return (matches.precision + matches.precision_before).sum(1) / (2 * matches.count)

    return {"step": step, "trapezoid": trapezoid}[definition]


def _protocol_average_precision(matches: RankedMatches) -> Tensor:
    """Compute average precision by the definition of the protocol."""
    return METRICS[f"mAP_{matches.ap}"].per_query(matches)


def _inverse_negative_penalty(matches: RankedMatches) -> Tensor:
    """Divide the number of matches by the rank of the last one.

    The mean over queries is mINP (Ye et al., "Deep Learning for Person Re-identification: A Survey
    and Outlook", 2021): how much has to be looked through to find all images of an identity.
    """
    return matches.count.double() / matches.last


def rank_metric(rank: int, meaning: str = "", *, validated: bool = True) -> Metric:
    """Make the entry of CMC at one rank: the share of queries with a match within it."""
    return Metric(
        name=f"rank-{rank}",
        heading=f"R{rank}",
        per_query=lambda matches: (matches.first <= rank).double(),
        meaning=meaning
        or f"Share of the queries with the right identity among the closest {rank} photos.",
        group="cmc",
        group_key=str(rank),
        validated=validated,
    )


_AVERAGE = "Mean average precision: 100 % if all photos of the right identity come first."
_CLOSEST = "Share of the queries whose closest photo shows the right identity."

_TABLE = {
    metric.name: metric
    for metric in (
        Metric(name="mAP", heading="mAP", per_query=_protocol_average_precision, meaning=_AVERAGE),
        Metric(
            name="mAP_step",
            heading="mAP(step)",
            per_query=_average_precision("step"),
            meaning=_AVERAGE,
            definition_of="mAP",
            validated=False,
        ),
        Metric(
            name="mAP_trapezoid",
            heading="mAP(trapezoid)",
            per_query=_average_precision("trapezoid"),
            meaning=_AVERAGE,
            definition_of="mAP",
            validated=False,
        ),
        Metric(
            name="mINP",
            heading="mINP",
            per_query=_inverse_negative_penalty,
            meaning="How early the hardest photo of the right identity comes.",
        ),
        rank_metric(1, _CLOSEST),
        rank_metric(5),
        rank_metric(10),
        rank_metric(20, validated=False),
    )
}

METRICS: Mapping[str, Metric] = MappingProxyType(_TABLE)
"""The metrics by name, in the order of files and tables."""

PAIR_SCORES: Mapping[str, ScoreKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            ScoreKind(
                "EER",
                "Error rate where false accepts equal false rejects; smaller is better.",
                lower_is_better=True,
            ),
            ScoreKind(
                "AUC",
                "Chance that two photos of one identity score more than two of different ones.",
            ),
            ScoreKind(
                "TAR", "Share of the pairs of one identity accepted, when so few strangers are."
            ),
            ScoreKind(
                "TPIR", "Share of the enrolled who are found, when so few strangers get a name."
            ),
            ScoreKind(
                "FAR",
                "Share of the pairs of different identities that are accepted.",
                lower_is_better=True,
            ),
        )
    }
)
"""Scores of pairs and of open-set identification by name."""


def score_kind(name: str) -> ScoreKind:
    """Look up a metric, or a score of pairs such as "TAR@FAR=0.001" or "TAR at FAR 0.1 %".

    What is neither of the two counts as a fraction without a meaning.
    """
    kind = METRICS.get(name) or PAIR_SCORES.get(name.split("@")[0].split(" ")[0])
    return ScoreKind(name, "") if kind is None else kind


def metric_by_key(key: str, *, among: Collection[Metric] | None = None) -> Metric:
    """Look up a metric by its name in commands and recipes.

    Args:
        key: Such as "rank1".
        among: The metrics to choose from; None for all.

    Raises:
        EvaluationError: None of them is called that.
    """
    known = {metric.key: metric for metric in (METRICS.values() if among is None else among)}
    if key not in known:
        raise EvaluationError(unknown_name("metric", key, known))
    return known[key]


def separate_metrics() -> tuple[Metric, ...]:
    """Return the metrics that are no definition of another one."""
    return tuple(metric for metric in METRICS.values() if not metric.definition_of)


def other_definitions(ap: str) -> tuple[Metric, ...]:
    """Return the definitions of a metric that are not the protocol's own.

    Args:
        ap: The definition of average precision that is called mAP.
    """
    return tuple(
        metric
        for metric in METRICS.values()
        if metric.definition_of and metric.name != f"{metric.definition_of}_{ap}"
    )


def validated_metrics() -> tuple[Metric, ...]:
    """Return the metrics that validation during training computes."""
    return tuple(metric for metric in METRICS.values() if metric.validated)


def unit_words(metrics: Iterable[Metric]) -> str:
    """Say in which unit a table of some metrics is."""
    plain = [metric.heading for metric in metrics if not metric.percent]
    return f"Percent ({', '.join(plain)} as plain numbers)" if plain else "Percent"


def json_values(values: Mapping[str, float], metrics: Iterable[Metric]) -> dict[str, Any]:
    """Lay out values as they stand in `scores.json`, ranks of CMC under "cmc".

    Args:
        values: By name.
        metrics: Those wanted; one without a value is left out.
    """
    record: dict[str, Any] = {}
    for metric in metrics:
        if metric.name in values:
            beside = record.setdefault(metric.group, {}) if metric.group else record
            beside[metric.group_key or metric.key] = values[metric.name]
    return record
