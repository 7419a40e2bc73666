"""Scores of runs on one data set, with all that says how far they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptreid.errors import EvaluationError
from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.ranking.matching import REASONS
from promptreid.evaluation.uncertainty.breakdown import Breakdown
from promptreid.evaluation.uncertainty.intervals import paired_difference
from promptreid.pages.content import PairedRuns, TestedRun, Unmatched

_EXAMPLES = 5


def score_run(
    name: str, assessment: Assessment, by: Sequence[str]
) -> tuple[TestedRun, tuple[str, ...]]:
    """Ask for all that a report says of a run on one data set, broken down by some attributes.

    Returns:
        What the report says; and what could not be computed and why.

    Raises:
        EvaluationError: No query has a match.
    """
    scores, intervals = assessment.scores, assessment.intervals
    if assessment.why_unverified:  # as where all images show one identity
        remarks = [f"Nothing can be verified: {assessment.why_unverified}"]
        if by:
            remarks.append(f"Without verification nothing is broken down by {', '.join(by)}.")
        return TestedRun(name, scores, intervals, None, ()), tuple(remarks)
    breakdowns: list[Breakdown] = []
    remarks = []
    for attribute in by:
        try:
            breakdowns.append(assessment.breakdown(attribute))
        except EvaluationError as error:
            remarks.append(f"Scores of {name} are not broken down by {attribute}: {error}")
    tested = TestedRun(
        name,
        scores,
        intervals,
        assessment.verification,
        tuple(breakdowns),
        assessment.identification,
        assessment.stored_threshold,
    )
    return tested, tuple(remarks)


def pair_runs(assessed: Mapping[str, Assessment]) -> tuple[PairedRuns, ...]:
    """Compare every run after the first with the first, on the same queries."""
    (baseline, first), *others = assessed.items()
    return tuple(
        PairedRuns(name, baseline, paired_difference(run.evidence, first.evidence, first.bootstrap))
        for name, run in others
    )


def unmatched_queries(assessment: Assessment) -> tuple[Unmatched, ...]:
    """List the queries that no gallery image can answer, by reason; all runs have the same ones."""
    test_set = assessment.test_set
    rows_by_reason: dict[int, list[int]] = {}
    for repeat, result in zip(test_set.protocol.repeats, assessment.scores.results, strict=True):
        for row, reason in zip(repeat.query.tolist(), result.reason.tolist(), strict=True):
            if reason >= 0:
                rows_by_reason.setdefault(reason, []).append(row)
    name = test_set.manifest.image_name
    return tuple(
        Unmatched(
            reason=REASONS[reason],
            count=len(rows),
            examples=tuple(name(row) for row in list(dict.fromkeys(rows))[:_EXAMPLES]),
        )
        for reason, rows in sorted(rows_by_reason.items())
    )
