"""Scores beyond ranking, as they stand in a file of scores: what a command or a report asks for."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from promptreid.data.dataset import DataSet
from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.evaluation.thresholds.threshold_rates import others_than_stored, threshold_rates
from promptreid.evaluation.uncertainty.breakdown import break_down
from promptreid.evaluation.uncertainty.intervals import RESAMPLES, Evidence, intervals
from promptreid.evaluation.verification.accepted_pairs import accepted_protocol
from promptreid.evaluation.verification.identification import Identification, identify_protocol
from promptreid.evaluation.verification.verification import verify_protocol


@dataclass(frozen=True)
class FurtherScores:
    """Which scores beyond ranking are wanted; none by default.

    Attributes:
        verification: TAR at FAR, EER and AUC, and open-set identification.
        intervals: Intervals of all scores.
        by: Attributes to break scores down by, see `promptreid.evaluation.uncertainty.breakdown`.
        resamples: Number of resamples for intervals.
        seed: Of the resamples.
    """

    verification: bool = False
    intervals: bool = False
    by: tuple[str, ...] = ()
    resamples: int = RESAMPLES
    seed: int = 0

    @property
    def wanted(self) -> bool:
        """Whether anything is."""
        return self.verification or self.intervals or bool(self.by)


def further_scores(
    scores: Scores,
    embeddings: Embeddings,
    dataset: DataSet,
    asked: FurtherScores,
    *,
    threshold: Threshold | None = None,
    prompt: str | None = None,
) -> dict[str, Any]:
    """Compute what is asked for, from what `score_data` returned.

    Verification, identification and breakdowns by pairs of values compare the embeddings as they
    are: query expansion and re-ranking change rankings alone.

    Args:
        scores: With the outcome of each query.
        embeddings: Of the rows that the data set's protocol uses, in order.
        dataset: What was scored.
        asked: Which scores.
        threshold: That came with the weights, to be tried on the test pairs along with
            verification; None where they have none.
        prompt: Kind of sentence that was asked for in place of the model's own.

    Returns:
        Some of "verification", "identification", "intervals" and "breakdowns", JSON-ready. With a
        threshold, "verification" holds "stored_threshold".

    Raises:
        EvaluationError: The data set has nothing to test on, or as for the scores asked for.
    """
    if not asked.wanted:
        return {}
    if dataset.protocol is None:
        raise EvaluationError(f"{dataset.spec} has nothing to test on.")
    rows, protocol = dataset.protocol.compact()
    how: dict[str, Any] = {"same_camera": scores.same_camera, "multi_query": scores.multi_query}
    verification = verify_protocol(embeddings, protocol, **how)
    found: dict[str, Any] = {}
    if asked.verification:
        found["verification"] = verification.to_dict()
        if threshold is not None:
            note = others_than_stored(scores, prompt)
            rates = threshold_rates(embeddings, protocol, threshold, **how, note=note)
            found["verification"]["stored_threshold"] = rates.to_dict()
        found["identification"] = identification_values(
            identify_protocol(embeddings, protocol, **how)
        )
    draws: dict[str, Any] = {"resamples": asked.resamples, "seed": asked.seed}
    if asked.intervals:
        accepted = accepted_protocol(embeddings, protocol, verification)
        found["intervals"] = intervals(Evidence(scores, verification, accepted), **draws).to_dict()
    if asked.by:
        manifest = dataset.manifest.select(rows)
        found["breakdowns"] = [
            break_down(
                name, manifest, embeddings, protocol, scores, verification, **draws
            ).to_dict()
            for name in asked.by
        ]
    return found


def identification_values(repeats: Sequence[Identification]) -> dict[str, Any]:
    """Give open-set identification of all repeats as it stands in a file, means first."""
    points = []
    for number, point in enumerate(repeats[0].points):
        rates = [repeat.points[number].tpir for repeat in repeats]
        known = [rate for rate in rates if rate is not None]
        mean = statistics.fmean(known) if len(known) == len(rates) else None
        points.append({"fpir": point.fpir, "tpir": mean})
    return {
        "rank": repeats[0].rank,
        "tpir": points,
        "per_repeat": [repeat.to_dict() for repeat in repeats],
    }
