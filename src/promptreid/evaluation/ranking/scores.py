"""Scores of rankings: per query, per repeat, and the mean over repeats."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from promptreid.evaluation.metrics import METRICS, json_values, separate_metrics
from promptreid.evaluation.ranking.matching import REASONS
from promptreid.evaluation.ranking.ranks import cumulative_matches
from promptreid.evaluation.retrieval_settings import PLAIN, RetrievalSettings

if TYPE_CHECKING:
    from promptreid.evaluation.embeddings.sentence_share import SentenceShare

CURVE_LENGTH = 50


@dataclass(frozen=True, eq=False)
class QueryResult:
    """The outcome of every query of one repeat; all tensors are on the CPU.

    Attributes:
        matches: (Q,) int64 number of matches that count.
        first_rank: (Q,) int64 rank of the first match, 0 without one.
        reason: (Q,) int64 position in `REASONS` of why there is no match, -1 with a match.
        values: (Q,) float64 value of each metric by name, NaN without a match.
        gallery: Number of gallery images.
        identities: Q names, those of joined queries where queries were joined.
    """

    matches: Tensor
    first_rank: Tensor
    reason: Tensor
    values: Mapping[str, Tensor]
    gallery: int
    identities: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.matches)

    def reasons(self) -> dict[str, int]:
        """Count the queries without a match by reason; reasons that do not occur are left out."""
        counts = [int((self.reason == number).sum()) for number in range(len(REASONS))]
        return {name: count for name, count in zip(REASONS, counts, strict=True) if count}

    def scores(self) -> RepeatScores:
        """Average over the queries that have a match, of which there must be one."""
        matched = self.matches > 0
        return RepeatScores(
            values={name: float(values[matched].mean()) for name, values in self.values.items()},
            curve=tuple(cumulative_matches(self.first_rank, CURVE_LENGTH).tolist()),
            queries=len(self),
            without_match=self.reasons(),
            gallery=self.gallery,
        )


@dataclass(frozen=True)
class RepeatScores:
    """Scores of one repeat.

    Attributes:
        values: Value of each metric by name.
        curve: CMC of ranks 1 to 50.
        queries: Number of queries, those without a match included.
        without_match: Number of queries without a match by reason.
        gallery: Number of gallery images.
    """

    values: Mapping[str, float]
    curve: tuple[float, ...]
    queries: int
    without_match: Mapping[str, int]
    gallery: int

    def to_dict(self) -> dict[str, Any]:
        """Give the scores as they stand under "per_repeat" in `scores.json`."""
        return {
            **json_values(self.values, separate_metrics()),
            "queries": self.queries,
            "queries_without_match": sum(self.without_match.values()),
            "gallery": self.gallery,
        }


@dataclass(frozen=True)
class Scores:
    """Scores of a protocol: the mean over its repeats.

    Attributes:
        protocol: Name of the protocol.
        ap: The AP definition that `mAP` means, "step" or "trapezoid".
        same_camera: What was done with gallery images of the query's identity and camera:
            "exclude" or "keep".
        per_repeat: Scores of each repeat.
        note: What a reader of the scores should know, in a sentence; may be empty.
        settings: How the images were embedded and ranked.
        sentences: What sentences have to say in the similarity; None for images alone.
        results: Outcomes of the queries, one for each repeat.
    """

    protocol: str
    ap: str
    same_camera: str
    per_repeat: tuple[RepeatScores, ...]
    note: str = ""
    settings: RetrievalSettings = PLAIN
    sentences: SentenceShare | None = None
    results: tuple[QueryResult, ...] = field(default=(), compare=False, repr=False)

    @property
    def repeats(self) -> int:
        """Number of repeats."""
        return len(self.per_repeat)

    @property
    def values(self) -> dict[str, float]:
        """Value of each metric by name."""
        return {
            name: statistics.fmean(repeat.values[name] for repeat in self.per_repeat)
            for name in self.per_repeat[0].values
        }

    @property
    def std(self) -> dict[str, float]:
        """Sample standard deviation (n - 1) over the repeats by metric; zeros for one repeat."""
        return {
            name: statistics.stdev(repeat.values[name] for repeat in self.per_repeat)
            if self.repeats > 1
            else 0.0
            for name in self.per_repeat[0].values
        }

    @property
    def mAP(self) -> float:  # noqa: N802
        """Mean average precision by the definition `ap`."""
        return self.values["mAP"]

    @property
    def mINP(self) -> float:  # noqa: N802
        """Mean inverse negative penalty."""
        return self.values["mINP"]

    @property
    def cmc(self) -> dict[int, float]:
        """CMC at the ranks that are metrics: 1, 5, 10 and 20."""
        values = self.values
        return {
            int(metric.group_key): values[metric.name]
            for metric in METRICS.values()
            if metric.group == "cmc" and metric.name in values
        }

    @property
    def curve(self) -> tuple[float, ...]:
        """CMC of ranks 1 to 50."""
        curves = [repeat.curve for repeat in self.per_repeat]
        return tuple(statistics.fmean(values) for values in zip(*curves, strict=True))

    @property
    def queries(self) -> int:
        """Queries of one repeat, of the largest if the repeats differ."""
        return max(repeat.queries for repeat in self.per_repeat)

    @property
    def gallery(self) -> int:
        """Gallery images of one repeat, of the largest if the repeats differ."""
        return max(repeat.gallery for repeat in self.per_repeat)

    @property
    def without_match_reasons(self) -> dict[str, int]:
        """Queries without a match by reason, of the repeat that has most of them."""
        return dict(
            max((repeat.without_match for repeat in self.per_repeat), key=lambda r: sum(r.values()))
        )

    @property
    def queries_without_match(self) -> int:
        """Queries left out of every mean, of the repeat that has most of them."""
        return sum(self.without_match_reasons.values())

    def to_dict(self) -> dict[str, Any]:
        """Give the scores as they stand in `scores.json`."""
        values = self.values
        definitions = [metric for metric in METRICS.values() if metric.definition_of]
        expansion, rerank = self.settings.expansion, self.settings.rerank
        return {
            "protocol": self.protocol,
            "ap": self.ap,
            "repeats": self.repeats,
            **json_values(values, separate_metrics()),
            "std": json_values(self.std, METRICS.values()),
            "queries": self.queries,
            "queries_without_match": self.queries_without_match,
            "gallery": self.gallery,
            **json_values(values, definitions),
            "cmc_curve": list(self.curve),
            "std_kind": "sample",
            "without_match_reasons": self.without_match_reasons,
            "same_camera": self.same_camera,
            "note": self.note,
            "flip": self.settings.flip,
            "sentences": None if self.sentences is None else self.sentences.to_dict(),
            "query_expansion": None if expansion is None else expansion.to_dict(),
            "multi_query": self.settings.multi_query,
            "rerank": None if rerank is None else rerank.to_dict(),
            "per_repeat": [repeat.to_dict() for repeat in self.per_repeat],
        }


def join_results(parts: list[QueryResult]) -> QueryResult:
    """Join the outcomes of consecutive blocks of queries against one gallery."""
    return QueryResult(
        matches=torch.cat([part.matches for part in parts]),
        first_rank=torch.cat([part.first_rank for part in parts]),
        reason=torch.cat([part.reason for part in parts]),
        values={name: torch.cat([part.values[name] for part in parts]) for name in parts[0].values},
        gallery=parts[0].gallery,
    )
