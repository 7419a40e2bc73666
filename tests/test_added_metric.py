"""A metric is one entry of `METRICS`: whatever computes or shows scores has it at once."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_content import report_content

from promptreid.config.scoring import ValidationConfig
from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import ConfigError
from promptreid.evaluation import (
    Bootstrap,
    Embeddings,
    Evidence,
    Scores,
    evaluate_protocol,
    intervals,
    paired_difference,
    render_scores,
)
from promptreid.evaluation import metrics as table
from promptreid.evaluation.metrics import METRICS, Metric, rank_metric
from promptreid.pages.report_page.render_page import render_page
from promptreid.pages.report_page.score_cells import change_table, retrieval_table
from promptreid.progress import Silent
from promptreid.sweeps.comparison import compare_runs
from promptreid.sweeps.comparison_table import comparison_text
from promptreid.sweeps.run_results import RunRecord
from promptreid.tracking.values import epoch_values, score_values
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage.early_stopping import EarlyStopping, validation_metric
from promptreid.training.stage.training_state import TrainingState

ADDED = {
    "rank-3": rank_metric(3),
    "mean-rank": Metric(
        name="mean-rank",
        heading="mean rank",
        meaning="How many photos are looked at until the right identity comes.",
        per_query=lambda matches: matches.first.double(),
        lower_is_better=True,
        percent=False,
    ),
}


@pytest.fixture(scope="module", params=ADDED)
def added(request):
    """A metric that is in the table while its tests run."""
    metric = ADDED[request.param]
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(table._TABLE, metric.name, metric)
        yield metric
    assert metric.name not in METRICS


def scored(noise: float) -> Scores:
    rng = np.random.default_rng(3)
    names = np.arange(60) % 15
    points = rng.standard_normal((15, 6))[names] + noise * rng.standard_normal((60, 6))
    rows = [np.random.default_rng(seed).permutation(60) for seed in range(2)]
    repeats = tuple(Repeat(query=row[:25], gallery=row[25:]) for row in rows)
    data = Embeddings.from_vectors(points, names)
    return evaluate_protocol(data, Protocol("drawn", repeats, "keep", "step"))


@pytest.fixture(scope="module")
def better(added) -> Scores:
    return scored(0.8)


@pytest.fixture(scope="module")
def worse(added) -> Scores:
    return scored(2.0)


def by_hand(metric: Metric, scores: Scores) -> list[float]:
    """The metric of each repeat from the ranks of first matches."""
    values = []
    for result in scores.results:
        first = result.first_rank[result.matches > 0].double()
        values.append(float((first <= 3).double().mean() if metric.group else first.mean()))
    return values


def test_scores_and_their_file_have_it(added, better):
    values = by_hand(added, better)
    assert better.values[added.name] == pytest.approx(np.mean(values))
    record = json.loads(json.dumps(better.to_dict()))
    assert added.read(record) == better.values[added.name]
    assert added.read(record["std"]) == pytest.approx(np.std(values, ddof=1))
    assert [added.read(one) for one in record["per_repeat"]] == pytest.approx(values)
    assert record["cmc"].get("3") == (better.values[added.name] if added.group else None)


def test_the_printed_table_has_it(added, better):
    lines = render_scores(better, "title").splitlines()
    assert lines[1].endswith(added.heading)
    value = better.values[added.name] * (100 if added.percent else 1)
    assert lines[2].split()[-1] == f"{value:.2f}"
    assert (added.heading in lines[4]) == (not added.percent), "what is no percentage is named"


def test_intervals_and_differences_have_it(added, better, worse):
    interval = intervals(Evidence(better), Bootstrap(50)).scores[added.name]
    assert interval.low <= interval.value == better.values[added.name] <= interval.high
    change = paired_difference(Evidence(better), Evidence(worse), Bootstrap(50))[added.name]
    assert change.value == better.values[added.name] - worse.values[added.name]
    assert (change.value < 0) == added.lower_is_better


def test_compare_has_it_and_knows_the_best(added, better, worse):
    records = [
        RunRecord(
            Path(name),
            settings={"lr": name},
            data=(("folder:x", "f"),),
            results=(scores.to_dict(),),
        )
        for name, scores in (("worse", worse), ("better", better))
    ]
    compared = compare_runs(records, metrics=[added.key], sort=added.key)
    assert [row.name for row in compared.rows] == ["better", "worse"]
    assert [compared.is_best(row, added.key) for row in compared.rows] == [True, False]
    lines = comparison_text(compared).splitlines()
    assert added.heading in lines[0]
    assert added.text(better.values[added.name]) in lines[1]


def test_trackers_get_it(added, better):
    found = score_values([better.to_dict()])
    assert found[f"scores/{added.key}"] == better.values[added.name]
    assert f"scores/std/{added.key}" in found


def test_validation_can_go_by_it(added):
    stopping = EarlyStopping.of(ValidationConfig(metric=added.key, patience=1))
    assert stopping.metric is added
    state = TrainingState()
    for score in (3.0, 2.0):
        stopping.note(state, score)
    assert stopping.is_over(state) == (not added.lower_is_better)
    with pytest.raises(ConfigError, match=r"validation\.metric.*rank2.*" + added.key):
        validation_metric(ValidationConfig(metric="rank2"))


def test_training_validates_it_and_keeps_the_best(added, crops, quick, tmp_path):
    chosen = ("validation.kind=images", f"validation.metric={added.key}")
    request = TrainRequest(
        recipe="clip-reid", overrides=(*quick, *chosen), data=(f"folder:{crops}",),
        out=tmp_path / "run", device="cpu", before=False,
    )  # fmt: skip
    run = train(request, progress=Silent())
    with (run.path / "metrics.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row[f"val_{added.key}"]]
    values = [float(row[f"val_{added.key}"]) for row in rows]
    assert run.status().best.score == (min if added.lower_is_better else max)(values)
    numbers = {key: float(text) for key, text in rows[0].items() if key.startswith("val_")}
    assert epoch_values(numbers)[f"validation/{added.key}"] == values[0]


@pytest.fixture
def content(added, better, worse):
    """A report whose runs are scored while the metric is in the table."""
    with pytest.MonkeyPatch.context() as patched:  # other tests share this one
        patched.delitem(table._TABLE, added.name)
        shared = report_content()
    test = shared.tests[0]
    evidence = [Evidence(better), *(Evidence(worse) for _ in test.runs[1:])]
    runs = tuple(
        replace(run, scores=one.scores, intervals=intervals(one, Bootstrap(50)))
        for run, one in zip(test.runs, evidence, strict=True)
    )
    differences = paired_difference(Evidence(worse), Evidence(better), Bootstrap(50))
    pairs = tuple(replace(pair, differences=differences) for pair in test.pairs)
    return replace(shared, tests=(replace(test, runs=runs, pairs=pairs),))


@pytest.mark.slow
def test_the_page_has_it(added, content):
    test = content.tests[0]
    cells = retrieval_table(test)
    place = cells.columns.index(added.name)
    for run in test.runs:
        cell = cells.rows[run.name][place]
        assert cell.raw == pytest.approx(run.scores.values[added.name] * added.scale)
        assert cell.span
        assert (cell.low is None) == (not added.percent), "bars are of percentages"
    (row,) = (one for one in change_table(test.pairs[0], "step").rows if one.score == added.name)
    assert row.verdict == "worse"
    page = render_page(content)
    assert f'<abbr title="{added.meaning}">{added.name}</abbr>' in page
