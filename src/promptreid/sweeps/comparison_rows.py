"""The rows of a comparison of runs, and which of them is best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptreid.evaluation.metrics import Metric, metric_by_key


@dataclass(frozen=True)
class ScoreCell:
    """One score of a row.

    Attributes:
        mean: Mean over the runs of the row.
        std: Sample standard deviation, None where there is one value only.
        std_over: What the deviation is taken over: "seeds", or "draws" of the protocol where there
            is one seed; None without a deviation.
        values: The value of each run, in the order of the row's seeds.
    """

    mean: float
    std: float | None
    std_over: str | None
    values: tuple[float, ...]


@dataclass(frozen=True)
class ComparisonRow:
    """Runs that differ only by seed, scored on one data set.

    Attributes:
        name: Name for people, unique among the rows of a data set.
        runs: Folders of the runs.
        seeds: Seeds of the runs.
        data: Spec of the data set scored on.
        seen: Whether the runs were trained on its training images; None where they trained nothing.
        settings: Flat settings, `recipe` and `data` (trained on) with them.
        rules: How the scores were made; scores of different rules do not compare.
        notes: Notes of the runs, each text once.
        scores: Cells by the key of the metric.
    """

    name: str
    runs: tuple[str, ...]
    seeds: tuple[int | None, ...]
    data: str
    seen: bool | None
    settings: Mapping[str, Any]
    rules: Mapping[str, Any]
    notes: tuple[str, ...]
    scores: Mapping[str, ScoreCell]


@dataclass(frozen=True)
class RunComparison:
    """Rows of scores with what a reader must know about them.

    Attributes:
        rows: Rows by data set, then in the order of the runs or by a metric.
        metrics: Metrics of the rows.
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

    def is_best(self, row: ComparisonRow, metric: str) -> bool:
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
