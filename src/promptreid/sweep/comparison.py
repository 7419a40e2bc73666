"""Runs side by side: what differs in their settings, and what they score."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptreid.config.recipe_settings import differing
from promptreid.errors import RunError
from promptreid.evaluation.metrics import Metric, metric_by_key
from promptreid.sweep.run_results import RunRecord
from promptreid.sweep.scoring_differences import data_names, rule_warnings, scoring_rules

DEFAULT_METRICS = ("mAP", "rank1", "rank5")


@dataclass(frozen=True)
class ScoreCell:
    """One score of a row.

    Attributes:
        mean: Mean over the runs of the row.
        std: Sample standard deviation, None where there is one value only.
        over: What it is taken over: "seeds", or "draws" of the protocol where there is one seed.
        values: The value of each run, in the order of the row's seeds.
    """

    mean: float
    std: float | None
    over: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class ComparisonRow:
    """Runs that differ only by seed, scored on one data set.

    Attributes:
        name: For people; unique among the rows of a data set.
        runs: Their folders.
        seeds: Their seeds.
        data: The data set scored on.
        seen: Whether the runs were trained on its training images; None where they trained nothing.
        settings: Flat settings, `recipe` and `data` (trained on) with them.
        rules: How the scores were made; scores of different rules do not compare.
        scores: A cell for each metric, by the key of the metric.
        notes: The notes of the runs, each text once.
    """

    name: str
    runs: tuple[str, ...]
    seeds: tuple[int | None, ...]
    data: str
    seen: bool | None
    settings: Mapping[str, Any]
    rules: Mapping[str, Any]
    scores: Mapping[str, ScoreCell]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunComparison:
    """Rows of scores with what a reader must know about them.

    Attributes:
        rows: By data set, then in the order of the runs or by a metric.
        metrics: The scores.
        keys: Settings that differ between rows, in the order of the recipe.
        data: Short name of each data set scored on.
        warnings: Sentences on scores that do not compare.
        left_out: Runs that are not in the rows, each with the reason.
    """

    rows: tuple[ComparisonRow, ...]
    metrics: tuple[Metric, ...]
    keys: tuple[str, ...]
    data: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def mixed(self) -> bool:
        """Whether some rows are scored on data they were trained on, and others on unseen data."""
        return {True, False} <= {row.seen for row in self.rows}

    def best(self, row: ComparisonRow, metric: str) -> bool:
        """Tell whether a row has the best mean of a metric among those it may be compared with.

        These are the rows of the same data set, scored by the same rules, for which it was seen
        or unseen alike; one that trained nothing goes with both.
        """
        rivals = [
            other
            for other in self.rows
            if other.data == row.data and (other.seen == row.seen or None in (other.seen, row.seen))
        ]
        if len(rivals) < 2 or any(other.rules != row.rules for other in rivals):
            return False
        means = [other.scores[metric].mean for other in rivals]
        best = (min if metric_by_key(metric).lower_is_better else max)(means)
        return row.scores[metric].mean == best and min(means) < max(means)


def compare_runs(
    records: Sequence[RunRecord],
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    seeds_together: bool = True,
    sort: str | None = None,
) -> RunComparison:
    """Lay runs side by side.

    Args:
        records: The runs.
        metrics: Keys of metrics, see `promptreid.evaluation.metrics.Metric.key`.
        seeds_together: Join runs that differ only by seed into one row, with mean and standard
            deviation over them; otherwise each has its own, with the seed as a setting.
        sort: A metric to sort by, the best first; None for the order of the runs.

    Returns:
        The comparison; runs without scores are named in `left_out`.

    Raises:
        RunError: No run has scores, or those of a run lack a metric.
        EvaluationError: There is no such metric.
    """
    left_out = [f"{_path(record)} {record.problem}" for record in records if record.problem]
    usable = [record for record in records if not record.problem]
    groups, repeated = _groups(usable, together=seeds_together)
    left_out += repeated
    if not groups:
        raise RunError(
            "There is nothing to compare: no run has scores.\n  " + "\n  ".join(left_out)
        )
    names = _names(groups, together=seeds_together)
    settings = [_settings(group[0], together=seeds_together) for group in groups]
    wanted = tuple(map(metric_by_key, dict.fromkeys([*metrics, *([sort] if sort else [])])))
    rows = []
    for group, name, own in zip(groups, names, settings, strict=True):
        for place, result in enumerate(group[0].results):
            results = [record.results[place] for record in group]
            rows.append(_row(name, group, own, result, results, wanted))
    specs = list(dict.fromkeys(row.data for row in rows))
    rows.sort(key=_order(specs, sort))
    return RunComparison(
        rows=tuple(rows),
        metrics=wanted,
        keys=tuple(differing(settings)),
        data=data_names(specs),
        warnings=tuple(rule_warnings(rows, [group[0] for group in groups])),
        left_out=tuple(left_out),
    )


def _groups(
    records: Sequence[RunRecord], *, together: bool
) -> tuple[list[list[RunRecord]], list[str]]:
    """Join runs of equal settings; a seed that comes twice would count its run twice."""
    groups: dict[str, list[RunRecord]] = {}
    repeated = []
    for record in records:
        # Equal settings on equal data, scored alike: whatever else differs makes another row.
        rules = [scoring_rules(result, record) for result in record.results]
        key = json.dumps(
            [
                _seedless(record),
                record.data,
                record.test,
                rules,
                None if together else str(record.path),
            ],
            sort_keys=True,
        )
        group = groups.setdefault(key, [])
        twin = next((one for one in group if one.seed == record.seed), None)
        if twin is None:
            group.append(record)
        else:
            repeated.append(
                f"{_path(record)} repeats {_path(twin)}: the same settings, data and seed"
            )
    return list(groups.values()), repeated


def _seedless(record: RunRecord) -> dict[str, Any]:
    """Give the settings with the run's own seed taken out of the checkpoint it started from."""
    settings = dict(record.settings)
    start = settings.get("start.checkpoint")
    if start is not None and record.seed is not None:
        settings["start.checkpoint"] = start.replace(f"seed{record.seed}", "seed*")
    return settings


def _settings(record: RunRecord, *, together: bool) -> dict[str, Any]:
    own = {"recipe": record.recipe, "data": [spec for spec, _ in record.data]}
    if not together:
        own["seed"] = record.seed
    return own | _seedless(record)


def _row(
    name: str,
    records: Sequence[RunRecord],
    settings: Mapping[str, Any],
    result: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    metrics: Sequence[Metric],
) -> ComparisonRow:
    data = result.get("data", records[0].data[0][0])
    return ComparisonRow(
        name=name,
        runs=tuple(_path(record) for record in records),
        seeds=tuple(record.seed for record in records),
        data=data,
        seen=records[0].seen.get(data),
        settings=settings,
        rules=scoring_rules(result, records[0]),
        scores={metric.key: _cell(records, results, metric) for metric in metrics},
        notes=tuple(dict.fromkeys(record.note for record in records if record.note)),
    )


def _cell(
    records: Sequence[RunRecord], results: Sequence[Mapping[str, Any]], metric: Metric
) -> ScoreCell:
    for record, result in zip(records, results, strict=True):
        if not metric.is_in(result):
            raise RunError(
                f"The scores of {record.path} do not hold {metric.key}, which may have become a "
                "metric after they were written. Compare other metrics."
            )
    values = tuple(metric.read(result) for result in results)
    if len(values) > 1:
        return ScoreCell(statistics.fmean(values), statistics.stdev(values), "seeds", values)
    std = metric.read(results[0]["std"]) if results[0]["repeats"] > 1 else None
    return ScoreCell(values[0], std, "draws", values)


def _order(specs: Sequence[str], sort: str | None) -> Callable[[ComparisonRow], tuple[int, float]]:
    place = {spec: number for number, spec in enumerate(specs)}
    sign = 1 if sort is not None and metric_by_key(sort).lower_is_better else -1
    return lambda row: (place[row.data], 0.0 if sort is None else sign * row.scores[sort].mean)


def _names(groups: Sequence[Sequence[RunRecord]], *, together: bool) -> list[str]:
    """Name each row after its folders, with as much of the path as it takes to tell them apart."""
    short, long = [], []
    for records in groups:
        own = list(dict.fromkeys(r.name if together else r.path.absolute().name for r in records))
        short.append(own[0] + ", …" * (len(own) > 1))
        long.append(f"{records[0].path.absolute().parent.name}/{short[-1]}")
    return [
        next((name for name, all_of in ((s, short), (w, long)) if all_of.count(name) == 1), path)
        for s, w, path in zip(short, long, (_path(group[0]) for group in groups), strict=True)
    ]


def _path(record: RunRecord) -> str:
    return str(record.path)
