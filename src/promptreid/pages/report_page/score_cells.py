"""Scores of runs and their differences, as cells of tables."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptreid.evaluation.metrics import (
    Metric,
    ScoreKind,
    other_definitions,
    score_kind,
    separate_metrics,
)
from promptreid.evaluation.uncertainty.breakdown import Breakdown
from promptreid.evaluation.uncertainty.intervals import Difference, Interval, tar_name
from promptreid.evaluation.verification.identification import Identification
from promptreid.evaluation.verification.roc import RELIABLE
from promptreid.evaluation.verification.verification import Verification
from promptreid.pages.content import PairedRuns, Test, TestedRun
from promptreid.pages.report_page.score_words import score_name
from promptreid.pages.report_page.summary import side
from promptreid.text.number_words import number, points, rate, similarity, span


@dataclass(frozen=True)
class PageCell:
    """A score in a table, in percent.

    Attributes:
        value: Written out; a dash where there is none.
        raw: Value in percent, for sorting; None where there is none.
        low: Lower end of the interval, from 0 to 100; None without an interval.
        high: Upper end.
        span: Both ends written out; empty without an interval.
        note: A second line; may be empty.
    """

    value: str
    raw: float | None
    low: float | None = None
    high: float | None = None
    span: str = ""
    note: str = ""


@dataclass(frozen=True)
class ScoreTable:
    """Scores of runs.

    Attributes:
        columns: Names of the scores.
        rows: Cells by run.
    """

    columns: tuple[str, ...]
    rows: Mapping[str, tuple[PageCell, ...]]


@dataclass(frozen=True)
class DifferenceCell:
    """A paired difference in a table, in percentage points.

    Attributes:
        score: Its name.
        value: Written out with its sign.
        raw: Value in points.
        low: Lower end of the interval in points; None if it is not known.
        high: Upper end.
        span: Both ends written out.
        better: Share of the resamples in which the run is better, in percent, written out.
        verdict: What that means, in a few words.
    """

    score: str
    value: str
    raw: float
    low: float | None
    high: float | None
    span: str
    better: str
    verdict: str


@dataclass(frozen=True)
class ChangeTable:
    """The paired differences of a run.

    Attributes:
        name: Name of the run.
        baseline: What it is set against.
        reach: The largest distance from zero that any interval has, in points.
        rows: One a score.
    """

    name: str
    baseline: str
    reach: float
    rows: tuple[DifferenceCell, ...]


def cell(
    score: Interval | None, note: str = "", digits: int = 1, kind: ScoreKind | None = None
) -> PageCell:
    """Write a score with its interval.

    Args:
        score: The score; None where there is none.
        note: A second line.
        digits: Digits after the point.
        kind: What is written; None for a fraction in percent. Only what is in percent gets a bar.
    """
    if score is None or score.value != score.value:
        return PageCell(number(None), None, note=note)
    scale = 100.0 if kind is None else kind.scale
    value, raw = number(score.value, digits, scale=scale), scale * score.value
    if score.low != score.low or score.high != score.high:
        return PageCell(value, raw, note=note)
    ends = span(score.low, score.high, digits=digits, scale=scale)
    if kind is not None and not kind.percent:
        return PageCell(value, raw, span=ends, note=note)
    return PageCell(value, raw, scale * score.low, scale * score.high, ends, note)


def retrieval_table(test: Test) -> ScoreTable:
    """Tell how well runs rank: mAP, CMC, all other metrics, and mAP by the other definition."""
    separate = separate_metrics()
    ranks = [metric for metric in separate if metric.group]
    first, *others = [metric for metric in separate if not metric.group]
    metrics = [first, *ranks, *others, *other_definitions(test.runs[0].scores.ap)]
    rows = {
        run.name: tuple(_ranking_cell(run, test, metric) for metric in metrics) for run in test.runs
    }
    return ScoreTable(tuple(score_name(metric.name) for metric in metrics), rows)


def _ranking_cell(run: TestedRun, test: Test, metric: Metric) -> PageCell:
    """Write a metric with its interval, and its standard deviation over repeats if there are."""
    score, note = run.intervals.scores.get(metric.name), ""
    if score is not None and test.repeats > 1:
        note = f"s.d. {number(run.scores.std[metric.name], scale=metric.scale)}"
    return cell(score, note, kind=metric)


def word_table(test: Test) -> ScoreTable | None:
    """Tell mAP with own words, with those of other images and with none; None if not measured."""
    rows = {}
    for run in test.runs:
        if (words := run.words) is not None:
            values = (scores["mAP"] for scores in (words.own, words.permuted, words.none))
            changes = (words.own_minus_permuted["mAP"], words.own_minus_none["mAP"])
            rows[run.name] = (
                *(PageCell(number(value, 2), 100 * value) for value in values),
                *map(_change_cell, changes),
            )
    columns = ("Own word", "Permuted", "None", "Own − permuted", "Own − none")
    return ScoreTable(columns, rows) if rows else None


def _change_cell(difference: Difference) -> PageCell:
    ends = span(difference.low, difference.high, signed=True, digits=2)
    return PageCell(points(difference.value, 2), 100 * difference.value, note=ends)


def verification_table(test: Test) -> ScoreTable | None:
    """Tell how well scores of pairs tell identities apart; None where nothing can be verified."""
    known = _verified(test)
    if not known:
        return None
    fars = [far for far in _fars(known) if any(_is_known(one, far) for one in known)]
    rows = {}
    for run in test.runs:
        verification, scores = run.verification, run.intervals.scores
        if verification is None:
            rows[run.name] = (cell(None),) * (2 + len(fars))
            continue
        rows[run.name] = (
            cell(scores.get("EER")),
            PageCell(number(verification.auc, 2), 100 * verification.auc),
            *(
                cell(scores.get(tar_name(far)), _threshold_note(verification, far))
                if _is_known(verification, far)
                else cell(None, "too few pairs")
                for far in fars
            ),
        )
    return ScoreTable(("EER", "AUC", *(score_name(tar_name(far)) for far in fars)), rows)


def _threshold_note(verification: Verification, far: float) -> str:
    """Say which threshold a rate needs, and whether few pairs speak for it."""
    text = f"threshold {similarity(verification.threshold(far))}"
    return text if verification.reliable(far) else f"{text}, fewer than {RELIABLE} pairs"


def unreliable_rates(test: Test) -> tuple[str, ...]:
    """Return the false accept rates that rest on few accepted pairs in some run, written out."""
    known = _verified(test)
    return tuple(
        rate(far)
        for far in _fars(known)
        if any(_is_known(one, far) and not one.reliable(far) for one in known)
    )


def _verified(test: Test) -> list[Verification]:
    return [run.verification for run in test.runs if run.verification is not None]


def _fars(known: Sequence[Verification]) -> list[float]:
    return list(dict.fromkeys(far for verification in known for far in verification.fars))


def _is_known(verification: Verification, far: float) -> bool:
    return far in verification.fars and verification.tar(far) is not None


def identification_table(test: Test) -> ScoreTable | None:
    """Tell how well runs name who is enrolled and nobody else; None where nobody asked a run."""
    known = [run for run in test.runs if run.identification]
    if not known:
        return None
    rates = [point.fpir for point in known[0].identification[0].points]
    rows = {
        run.name: tuple(_identified(run.identification, place) for place in range(len(rates)))
        for run in test.runs
    }
    return ScoreTable(tuple(f"TPIR at FPIR {rate(fpir)}" for fpir in rates), rows)


def _identified(repeats: Sequence[Identification], place: int) -> PageCell:
    """Write TPIR at one rate, its mean over the repeats."""
    points = [repeat.points[place] for repeat in repeats]
    known = [p for p in points if p.tpir is not None and p.threshold is not None]
    if not points or len(known) < len(points):
        return cell(None, "too few searches")
    tpir = statistics.fmean(point.tpir or 0.0 for point in known)
    threshold = statistics.fmean(point.threshold or 0.0 for point in known)
    return PageCell(number(tpir), 100 * tpir, note=f"threshold {similarity(threshold)}")


def change_table(pair: PairedRuns, ap: str) -> ChangeTable:
    """Tell how a run differs from the first on the same queries.

    The definition `ap` is called mAP, which need not be told twice.
    """
    rows = tuple(
        _change(name, difference)
        for name, difference in pair.differences.items()
        if name != f"mAP_{ap}"
    )
    ends = [abs(end) for row in rows for end in (row.low, row.high, row.raw) if end is not None]
    return ChangeTable(pair.name, pair.baseline, max(ends, default=1.0) or 1.0, rows)


def _change(name: str, difference: Difference) -> DifferenceCell:
    known = difference.low == difference.low and difference.high == difference.high
    kind = score_kind(name)
    gain = difference.turned() if kind.lower_is_better else difference
    return DifferenceCell(
        score=score_name(name),
        value=points(difference.value, scale=kind.scale),
        raw=kind.scale * difference.value,
        low=kind.scale * difference.low if known else None,
        high=kind.scale * difference.high if known else None,
        span=span(difference.low, difference.high, signed=True, scale=kind.scale),
        better=number(gain.above_zero, 0),
        verdict=("no clear difference", "better", "worse")[side(gain)] if known else "not known",
    )


def breakdown_tables(test: Test) -> dict[str, dict[str, Breakdown]]:
    """Return the breakdowns by attribute, then by run."""
    tables: dict[str, dict[str, Breakdown]] = {}
    for run in test.runs:
        for part in run.breakdowns:
            tables.setdefault(part.attribute, {})[run.name] = part
    return tables
