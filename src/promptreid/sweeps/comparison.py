"""Runs side by side: what differs in their settings, and what they score."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from promptreid.config.recipe_settings import differing
from promptreid.errors import RunError
from promptreid.evaluation.metrics import Metric, metric_by_key
from promptreid.sweeps.comparison_rows import ComparisonRow, RunComparison, ScoreCell
from promptreid.sweeps.run_results import RunRecord
from promptreid.sweeps.scoring_differences import rule_warnings, scoring_rules, shorten_specs

DEFAULT_METRICS = ("mAP", "rank1", "rank5")


def compare_runs(
    records: Sequence[RunRecord],
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    seeds_together: bool = True,
    sort: str | None = None,
) -> RunComparison:
    """Lay runs side by side; those without scores are named in `left_out`.

    Args:
        records: The runs.
        metrics: Keys of metrics, see `promptreid.evaluation.metrics.Metric.key`.
        seeds_together: Join runs that differ only by seed into one row, with mean and standard
            deviation over them; otherwise each has its own, with the seed as a setting.
        sort: A metric to sort by, the best first; None for the order of the runs.

    Raises:
        RunError: No run has scores, or those of a run lack a metric.
        EvaluationError: There is no such metric.
    """
    left_out = [f"{record.path} {record.problem}" for record in records if record.problem]
    usable = [record for record in records if not record.problem]
    groups, repeated = _group_runs(usable, together=seeds_together)
    left_out += repeated
    if not groups:
        raise RunError(
            "There is nothing to compare: no run has scores.\n  " + "\n  ".join(left_out)
        )
    names = _name_groups(groups, together=seeds_together)
    settings = [_settings(group[0], together=seeds_together) for group in groups]
    shown = tuple(map(metric_by_key, dict.fromkeys([*metrics, *([sort] if sort else [])])))
    rows = [
        _row(name, group, group_settings, place, shown)
        for group, name, group_settings in zip(groups, names, settings, strict=True)
        for place in range(len(group[0].results))
    ]
    specs = list(dict.fromkeys(row.data for row in rows))
    rows.sort(key=_sort_key(specs, sort))
    return RunComparison(
        rows=tuple(rows),
        metrics=shown,
        keys=tuple(differing(settings)),
        data=shorten_specs(specs),
        warnings=tuple(rule_warnings(rows, [group[0] for group in groups])),
        left_out=tuple(left_out),
    )


def _group_runs(
    records: Sequence[RunRecord], *, together: bool
) -> tuple[list[list[RunRecord]], list[str]]:
    """Join runs of equal settings; a seed that comes twice would count its run twice."""
    groups: dict[str, list[RunRecord]] = {}
    repeated = []
    for record in records:
        # Equal settings on equal data, scored alike: whatever else differs makes another row.
        rules = [scoring_rules(result, record) for result in record.results]
        alone = None if together else str(record.path)
        alike = [_seedless(record), record.data, record.test, rules, alone]
        group = groups.setdefault(json.dumps(alike, sort_keys=True), [])
        twin = next((other for other in group if other.seed == record.seed), None)
        if twin is None:
            group.append(record)
        else:
            repeated.append(f"{record.path} repeats {twin.path}: the same settings, data and seed")
    return list(groups.values()), repeated


def _seedless(record: RunRecord) -> dict[str, Any]:
    """Give the settings with the run's own seed taken out of the checkpoint it started from."""
    settings = dict(record.settings)
    start = settings.get("start.checkpoint")
    if start is not None and record.seed is not None:
        settings["start.checkpoint"] = start.replace(f"seed{record.seed}", "seed*")
    return settings


def _settings(record: RunRecord, *, together: bool) -> dict[str, Any]:
    """Give what may differ between rows: recipe, training data, seed and all settings."""
    seed = {} if together else {"seed": record.seed}
    data = [spec for spec, _ in record.data]
    return {"recipe": record.recipe, "data": data, **seed, **_seedless(record)}


def _row(
    name: str,
    records: Sequence[RunRecord],
    settings: Mapping[str, Any],
    place: int,
    metrics: Sequence[Metric],
) -> ComparisonRow:
    """Make the row of a group of runs on the data set at one place of their results."""
    first = records[0]
    result = first.results[place]
    data = result.get("data", first.data[0][0])
    return ComparisonRow(
        name=name,
        runs=tuple(str(record.path) for record in records),
        seeds=tuple(record.seed for record in records),
        data=data,
        seen=first.seen.get(data),
        settings=settings,
        rules=scoring_rules(result, first),
        scores={metric.key: _cell(records, place, metric) for metric in metrics},
        notes=tuple(dict.fromkeys(record.note for record in records if record.note)),
    )


def _cell(records: Sequence[RunRecord], place: int, metric: Metric) -> ScoreCell:
    """Average a metric over runs; raises RunError where one of them lacks it."""
    for record in records:
        if not metric.is_in(record.results[place]):
            raise RunError(
                f"The scores of {record.path} do not hold {metric.key}, which may have become a "
                "metric after they were written. Compare other metrics."
            )
    values = tuple(metric.read(record.results[place]) for record in records)
    if len(values) > 1:
        return ScoreCell(statistics.fmean(values), statistics.stdev(values), "seeds", values)
    result = records[0].results[place]
    if result["repeats"] > 1:
        return ScoreCell(values[0], metric.read(result["std"]), "draws", values)
    return ScoreCell(values[0], None, None, values)


def _sort_key(
    specs: Sequence[str], sort: str | None
) -> Callable[[ComparisonRow], tuple[int, float]]:
    """Order rows by data set, then by a metric where one is named, the best first."""
    place = {spec: number for number, spec in enumerate(specs)}
    sign = 1 if sort is not None and metric_by_key(sort).lower_is_better else -1
    return lambda row: (place[row.data], 0.0 if sort is None else sign * row.scores[sort].mean)


def _name_groups(groups: Sequence[Sequence[RunRecord]], *, together: bool) -> list[str]:
    """Name each group after its folders, with as much of the path as tells it from the others."""
    short, long = [], []
    for records in groups:
        names = list(dict.fromkeys(r.name if together else r.path.absolute().name for r in records))
        short.append(names[0] + ", …" * (len(names) > 1))
        long.append(f"{records[0].path.absolute().parent.name}/{short[-1]}")
    paths = [str(records[0].path) for records in groups]
    return [
        next((name for name, others in ((s, short), (w, long)) if others.count(name) == 1), path)
        for s, w, path in zip(short, long, paths, strict=True)
    ]
