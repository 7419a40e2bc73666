"""What an evaluation found: per query, per repeat, and the mean over repeats."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from promptreid.evaluation.ranking.matching import REASONS
from promptreid.evaluation.ranking.ranks import cumulative_matches

if TYPE_CHECKING:
    from promptreid.evaluation.embeddings.sentence_share import SentenceShare
    from promptreid.evaluation.reranking.expansion import Expansion
    from promptreid.evaluation.reranking.rerank import Rerank

AP_DEFINITIONS = ("step", "trapezoid")
REPORTED_RANKS = (1, 5, 10, 20)
CURVE_LENGTH = 50


@dataclass(frozen=True, eq=False)
class QueryResult:
    """The outcome of every query of one repeat; all tensors are on the CPU.

    Attributes:
        matches: (Q,) int64 number of matches that count.
        first_rank: (Q,) int64 rank of the first match, 0 without one.
        last_rank: (Q,) int64 rank of the last match, 0 without one.
        ap_step: (Q,) float64 average precision, NaN without a match.
        ap_trapezoid: (Q,) float64 average precision, NaN without a match.
        inp: (Q,) float64 inverse negative penalty, NaN without a match.
        reason: (Q,) int64 position in `REASONS` of why there is no match, -1 with a match.
        gallery: Number of gallery images.
        identities: Q names, those of joined queries where queries were joined.
    """

    matches: Tensor
    first_rank: Tensor
    last_rank: Tensor
    ap_step: Tensor
    ap_trapezoid: Tensor
    inp: Tensor
    reason: Tensor
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
        found = self.matches > 0
        return RepeatScores(
            mAP_step=float(self.ap_step[found].mean()),
            mAP_trapezoid=float(self.ap_trapezoid[found].mean()),
            mINP=float(self.inp[found].mean()),
            curve=tuple(cumulative_matches(self.first_rank, CURVE_LENGTH).tolist()),
            queries=len(self),
            without_match=self.reasons(),
            gallery=self.gallery,
        )


@dataclass(frozen=True)
class RepeatScores:
    """Scores of one repeat, as fractions of 1.

    Attributes:
        mAP_step: Mean average precision by the step definition.
        mAP_trapezoid: Mean average precision by the trapezoid definition.
        mINP: Mean inverse negative penalty.
        curve: CMC of ranks 1 to 50.
        queries: Number of queries, those without a match included.
        without_match: Number of queries without a match by reason.
        gallery: Number of gallery images.
    """

    mAP_step: float  # noqa: N815
    mAP_trapezoid: float  # noqa: N815
    mINP: float  # noqa: N815
    curve: tuple[float, ...]
    queries: int
    without_match: Mapping[str, int]
    gallery: int

    def mean_ap(self, definition: str) -> float:
        """Give mAP by one of `AP_DEFINITIONS`."""
        return self.mAP_trapezoid if definition == "trapezoid" else self.mAP_step


@dataclass(frozen=True)
class Scores:
    """Scores of a protocol, as fractions of 1: the mean over its repeats.

    Attributes:
        protocol: Name of the protocol.
        ap: The AP definition that `mAP` means, "step" or "trapezoid".
        same_camera: What was done with gallery images of the query's identity and camera:
            "exclude" or "keep".
        per_repeat: Scores of each repeat.
        note: What a reader of the scores should know, in a sentence; may be empty.
        rerank: Parameters of the re-ranking, None without one.
        expansion: Parameters of the query expansion, None without one.
        flip: Whether embeddings are averages over an image and its mirror image.
        sentences: What sentences have to say in the similarity; None for images alone.
        multi_query: How queries were joined, "identity" or "identity_camera"; None for single ones.
        results: Outcome of each query, one per repeat.
    """

    protocol: str
    ap: str
    same_camera: str
    per_repeat: tuple[RepeatScores, ...]
    note: str = ""
    rerank: Rerank | None = None
    expansion: Expansion | None = None
    flip: bool = False
    sentences: SentenceShare | None = None
    multi_query: str | None = None
    results: tuple[QueryResult, ...] = field(default=(), compare=False, repr=False)

    @property
    def repeats(self) -> int:
        """Number of repeats."""
        return len(self.per_repeat)

    @property
    def mAP(self) -> float:  # noqa: N802
        """Mean average precision by the definition `ap`."""
        return self.mean_ap(self.ap)

    @property
    def mINP(self) -> float:  # noqa: N802
        """Mean inverse negative penalty."""
        return self._mean(lambda repeat: repeat.mINP)

    @property
    def cmc(self) -> dict[int, float]:
        """CMC at ranks 1, 5, 10 and 20."""
        return {rank: self.curve[rank - 1] for rank in REPORTED_RANKS}

    @property
    def curve(self) -> tuple[float, ...]:
        """CMC of ranks 1 to 50."""
        curves = [repeat.curve for repeat in self.per_repeat]
        return tuple(statistics.fmean(values) for values in zip(*curves, strict=True))

    @property
    def std(self) -> dict[str, Any]:
        """Sample standard deviation (n - 1) over the repeats, zeros for a single repeat."""
        return {
            "mAP": self.mean_ap_std(self.ap),
            **{f"mAP_{name}": self.mean_ap_std(name) for name in AP_DEFINITIONS},
            "mINP": self._spread(lambda repeat: repeat.mINP),
            "cmc": {
                str(rank): self._spread(lambda repeat, rank=rank: repeat.curve[rank - 1])
                for rank in REPORTED_RANKS
            },
        }

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

    def mean_ap(self, definition: str) -> float:
        """Give mAP by one of `AP_DEFINITIONS`, whichever is called mAP here."""
        return self._mean(lambda repeat: repeat.mean_ap(definition))

    def mean_ap_std(self, definition: str) -> float:
        """Give the sample standard deviation over the repeats of `mean_ap`."""
        return self._spread(lambda repeat: repeat.mean_ap(definition))

    def to_dict(self) -> dict[str, Any]:
        """Give the scores as they stand in `scores.json`."""
        return {
            "protocol": self.protocol,
            "ap": self.ap,
            "repeats": self.repeats,
            "mAP": self.mAP,
            "mINP": self.mINP,
            "cmc": {str(rank): value for rank, value in self.cmc.items()},
            "std": self.std,
            "queries": self.queries,
            "queries_without_match": self.queries_without_match,
            "gallery": self.gallery,
            "mAP_step": self.mean_ap("step"),
            "mAP_trapezoid": self.mean_ap("trapezoid"),
            "cmc_curve": list(self.curve),
            "std_kind": "sample",
            "without_match_reasons": self.without_match_reasons,
            "same_camera": self.same_camera,
            "note": self.note,
            "flip": self.flip,
            "sentences": None if self.sentences is None else self.sentences.to_dict(),
            "query_expansion": None if self.expansion is None else self.expansion.to_dict(),
            "multi_query": self.multi_query,
            "rerank": None if self.rerank is None else self.rerank.to_dict(),
            "per_repeat": [self._repeat_dict(repeat) for repeat in self.per_repeat],
        }

    def _repeat_dict(self, repeat: RepeatScores) -> dict[str, Any]:
        return {
            "mAP": repeat.mean_ap(self.ap),
            "mINP": repeat.mINP,
            "cmc": {str(rank): repeat.curve[rank - 1] for rank in REPORTED_RANKS},
            "queries": repeat.queries,
            "queries_without_match": sum(repeat.without_match.values()),
            "gallery": repeat.gallery,
        }

    def _mean(self, value: Callable[[RepeatScores], float]) -> float:
        return statistics.fmean(value(repeat) for repeat in self.per_repeat)

    def _spread(self, value: Callable[[RepeatScores], float]) -> float:
        return statistics.stdev(map(value, self.per_repeat)) if self.repeats > 1 else 0.0


def join_results(parts: list[QueryResult]) -> QueryResult:
    """Join the outcomes of consecutive blocks of queries against one gallery."""
    names = ("matches", "first_rank", "last_rank", "ap_step", "ap_trapezoid", "inp", "reason")
    columns: dict[str, Any] = {
        name: torch.cat([getattr(part, name) for part in parts]) for name in names
    }
    return QueryResult(**columns, gallery=parts[0].gallery)
