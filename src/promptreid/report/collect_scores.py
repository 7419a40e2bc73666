"""Scores of runs on one data set, with all that says how far they can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptreid.errors import EvaluationError
from promptreid.evaluation.ranking.matching import REASONS
from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.evaluation.thresholds.threshold_rates import others_than_stored, threshold_rates
from promptreid.evaluation.uncertainty.breakdown import Breakdown, break_down
from promptreid.evaluation.uncertainty.intervals import Evidence, intervals, paired_difference
from promptreid.evaluation.verification.accepted_pairs import accepted_protocol
from promptreid.evaluation.verification.identification import Identification, identify_protocol
from promptreid.evaluation.verification.verification import Verification, verify_protocol
from promptreid.inference.trial import Trial, TrialRun
from promptreid.report.collect_data import ReportData
from promptreid.report.content import PairedRuns, TestedRun, Unmatched

_EXAMPLES = 5


@dataclass(frozen=True, eq=False)
class ScoredRun:
    """One run on one data set.

    Attributes:
        tested: What the report says.
        evidence: What intervals are made of.
        remarks: What could not be computed and why.
    """

    tested: TestedRun
    evidence: Evidence
    remarks: tuple[str, ...]


def score_run(
    run: TrialRun, data: ReportData, *, seed: int, threshold: Threshold | None = None
) -> ScoredRun:
    """Rank, verify and break down the embeddings of a run.

    Args:
        run: Its embeddings.
        data: What it is tested on.
        seed: Of the resamples.
        threshold: That came with the model.

    Raises:
        EvaluationError: No query has a match.
    """
    protocol = data.trial.protocol
    scores = run.scores(protocol)
    remarks: list[str] = []
    try:
        verification = verify_protocol(run.embeddings, protocol)
    except EvaluationError as error:  # all images show one identity, say
        verification = None
        remarks.append(f"Nothing can be verified: {error}")
    accepted = ()
    if verification is not None:
        accepted = accepted_protocol(run.embeddings, protocol, verification)
    evidence = Evidence(scores, verification, accepted)
    identified: tuple[Identification, ...] = ()
    if verification is not None:
        identified = identify_protocol(run.embeddings, protocol)
    found, missing = _breakdowns(run, data, scores, verification, seed)
    stored = None
    if verification is not None and threshold is not None:
        note = others_than_stored(scores)
        stored = threshold_rates(run.embeddings, protocol, threshold, note=note)
    tested = TestedRun(
        run.name, scores, intervals(evidence, seed=seed), verification, found, identified, stored
    )
    return ScoredRun(tested, evidence, (*remarks, *missing))


def pair_runs(runs: Sequence[ScoredRun], *, seed: int) -> tuple[PairedRuns, ...]:
    """Compare every run after the first with the first, on the same queries.

    Args:
        runs: In the order of the report.
        seed: Of the resamples.
    """
    first, *others = runs
    return tuple(
        PairedRuns(
            name=run.tested.name,
            baseline=first.tested.name,
            differences=paired_difference(run.evidence, first.evidence, seed=seed),
        )
        for run in others
    )


def unmatched_queries(trial: Trial, scores: Scores) -> tuple[Unmatched, ...]:
    """List the queries that no gallery image can answer, by reason.

    Args:
        trial: The test images.
        scores: Of any run; all runs have the same ones.
    """
    rows: dict[int, list[int]] = {}
    for repeat, result in zip(trial.protocol.repeats, scores.results, strict=True):
        for row, reason in zip(repeat.query.tolist(), result.reason.tolist(), strict=True):
            if reason >= 0:
                rows.setdefault(reason, []).append(row)
    name = trial.manifest.image_name
    return tuple(
        Unmatched(
            reason=REASONS[reason],
            count=len(found),
            examples=tuple(name(row) for row in list(dict.fromkeys(found))[:_EXAMPLES]),
        )
        for reason, found in sorted(rows.items())
    )


def _breakdowns(
    run: TrialRun,
    data: ReportData,
    scores: Scores,
    verification: Verification | None,
    seed: int,
) -> tuple[tuple[Breakdown, ...], list[str]]:
    """Break scores down by each attribute, or say why that cannot be."""
    if not data.by:
        return (), []
    if verification is None:
        told = ", ".join(data.by)
        return (), [f"Without verification nothing is broken down by {told}."]
    protocol = data.trial.protocol
    # Counted once for all attributes.
    accepted = accepted_protocol(run.embeddings, protocol, verification, by="query")
    found, remarks = [], []
    for name in data.by:
        try:
            found.append(
                break_down(
                    name,
                    data.trial.manifest,
                    run.embeddings,
                    protocol,
                    scores,
                    verification,
                    seed=seed,
                    accepted=accepted,
                )
            )
        except EvaluationError as error:
            remarks.append(f"Scores of {run.name} are not broken down by {name}: {error}")
    return tuple(found), remarks
