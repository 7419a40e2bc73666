from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import EvaluationError
from promptreid.evaluation import Embeddings, evaluate, evaluate_protocol
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.uncertainty.intervals import Evidence, intervals, paired_difference
from promptreid.evaluation.uncertainty.resampling import Bootstrap, RateResamples
from promptreid.evaluation.verification.accepted_pairs import accepted_protocol, count_accepted
from promptreid.evaluation.verification.verification import verify, verify_protocol

FARS = (0.1, 0.02)


def images(count, seed, identities=14, spread=1.0):
    generator = np.random.default_rng(seed)
    names = generator.integers(0, identities, count)
    centers = np.random.default_rng(5).standard_normal((identities, 6))
    return Embeddings.from_vectors(
        centers[names] + spread * generator.standard_normal((count, 6)),
        names,
        cameras=generator.integers(0, 3, count).tolist(),
    )


def protocol(count=150):
    rows = np.random.default_rng(0).permutation(count)
    third = count // 3
    repeats = (Repeat(rows[:third], rows[third:]), Repeat(rows[-third:], rows[:-third]))
    return Protocol("two", repeats, "exclude", "step")


def evidence(data, rules=None):
    rules = rules or protocol()
    found = verify_protocol(data, rules, fars=FARS)
    return Evidence(evaluate_protocol(data, rules), found, accepted_protocol(data, rules, found))


def repeated(query, weights):
    """Each query as often as its identity is drawn, under the same name."""
    rows = [
        row for row, name in enumerate(query.identities) for _ in range(int(weights.get(name, 0)))
    ]
    return query.select(rows)


@pytest.fixture(scope="module")
def run():
    return evidence(images(150, 1))


def test_resampled_scores_equal_scoring_the_drawn_queries():
    data, rules = images(75, 1), protocol(75)
    found = intervals(evidence(data, rules), Bootstrap(6, 3, 0.999999))
    names = sorted({data.identities[row] for repeat in rules.repeats for row in repeat.query})
    drawn = Bootstrap(6, 3).weights(len(names))
    assert drawn.sum(1).tolist() == [len(names)] * 6
    by_hand = {name: [] for name in found.scores}
    for row in drawn.tolist():
        weights = dict(zip(names, row, strict=True))
        scores, checks = [], []
        for repeat in rules.repeats:
            query = repeated(data.select(repeat.query), weights)
            gallery = data.select(repeat.gallery)
            scores.append(evaluate(query, gallery, RetrievalSettings(same_camera="exclude")))
            checks.append(verify(query, gallery, same_camera="exclude", fars=FARS))
        for name in ("mAP_step", "mAP_trapezoid"):
            by_hand[name].append(np.mean([s.values[name] for s in scores]))
        by_hand["mAP"].append(np.mean([s.mAP for s in scores]))
        by_hand["mINP"].append(np.mean([s.mINP for s in scores]))
        for rank in (1, 5, 10, 20):
            by_hand[f"rank-{rank}"].append(np.mean([s.cmc[rank] for s in scores]))
        by_hand["EER"].append(np.mean([c.eer for c in checks]))
        for far in FARS:
            by_hand[f"TAR@FAR={far:g}"].append(np.mean([c.tar(far) for c in checks]))
    assert len(by_hand) == 11
    for name, values in by_hand.items():
        interval = found.scores[name]
        assert interval.low == pytest.approx(min(values), abs=1e-5), name
        assert interval.high == pytest.approx(max(values), abs=1e-5), name


def test_values_are_those_without_resampling(run):
    found = intervals(run, Bootstrap(20))
    assert found.scores["mAP"].value == run.scores.mAP
    assert found.scores["rank-5"].value == run.scores.cmc[5]
    assert found.scores["EER"].value == run.verification.eer
    assert found.scores["TAR@FAR=0.1"].value == run.verification.tar(0.1)
    values = found.to_dict()
    assert json.loads(json.dumps(values)) == values


def test_seeds_repeat_and_levels_nest(run):
    found = intervals(run, Bootstrap(200, 1))
    assert found == intervals(run, Bootstrap(200, 1))
    assert found != intervals(run, Bootstrap(200, 2))
    wide = intervals(run, Bootstrap(200, 1, 0.99))
    for name, interval in found.scores.items():
        assert wide.scores[name].low <= interval.low <= interval.high <= wide.scores[name].high
    assert found.scores["mAP"].low < found.scores["mAP"].value < found.scores["mAP"].high
    assert (found.identities, found.few) == (14, False)
    few = evidence(images(150, 1, identities=4))
    assert intervals(few, Bootstrap(5)).few


def test_whole_identities_are_drawn():
    # One identity is always found and the other never, each by many queries. Drawing identities
    # gives 0, 1/2 or 1; drawing queries would hardly leave the middle.
    query = Embeddings.from_vectors(np.eye(3)[[0] * 50 + [1] * 50], ["a"] * 50 + ["b"] * 50)
    gallery = Embeddings.from_vectors(
        np.array([[1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]]), ["a", "b", "c"]
    )
    interval = intervals(Evidence(evaluate(query, gallery)), Bootstrap(300)).scores["rank-1"]
    assert (interval.low, interval.value, interval.high) == (0.0, 0.5, 1.0)


def test_normal_theory_agrees_for_many_identities():
    # Identity means of rank-1 with one query each: the standard error of a share is known.
    generator = np.random.default_rng(0)
    right = generator.random(800) < 0.7
    names = [str(number) for number in range(800)]
    query = Embeddings.from_vectors(np.eye(801)[:800], names)
    gallery = np.eye(801)[:800].copy()
    gallery[~right] = np.eye(801)[800]
    scores = evaluate(query, Embeddings.from_vectors(gallery, names))
    interval = intervals(Evidence(scores), Bootstrap(2000)).scores["rank-1"]
    error = 1.96 * np.sqrt(interval.value * (1 - interval.value) / 800)
    assert interval.low == pytest.approx(interval.value - error, abs=0.006)
    assert interval.high == pytest.approx(interval.value + error, abs=0.006)


def test_paired_difference_is_the_difference_on_the_same_draws(run):
    better = evidence(images(150, 1, spread=0.5))
    found = paired_difference(better, run, Bootstrap(300))
    turned = paired_difference(run, better, Bootstrap(300))
    for name, difference in found.items():
        assert difference.value == -turned[name].value
        assert difference.low == pytest.approx(-turned[name].high)
        assert difference.above_zero == pytest.approx(1 - turned[name].above_zero)
        assert difference.low <= difference.value <= difference.high
    assert found["mAP"].value == better.scores.mAP - run.scores.mAP
    assert found["mAP"].above_zero == 1.0
    assert found["EER"].above_zero < 0.05
    # Pairing takes out what both runs share.
    alone = intervals(run, Bootstrap(300)).scores["mAP"]
    same = paired_difference(run, run, Bootstrap(300))["mAP"]
    assert (same.value, same.low, same.high, same.above_zero) == (0.0, 0.0, 0.0, 0.5)
    assert alone.high > alone.low


def test_grid_of_many_scores_comes_close():
    generator = np.random.default_rng(2)
    names = generator.integers(0, 40, 900)
    centers = generator.standard_normal((40, 8))
    data = Embeddings.from_vectors(
        # A common part leaves all similarities in a narrow band, as those of CLIP do.
        6 + centers[names] + 0.8 * generator.standard_normal((900, 8)),
        names,
    )
    query, gallery = data.select(range(300)), data.select(range(300, 900))
    (result,) = verify(query, gallery, fars=(0.1, 1e-2, 1e-3, 1e-4)).per_repeat
    assert result.impostors > 150_000
    assert 500 < len(result.grid) < 4000
    table = count_accepted(query, gallery, result.grid, by="identity")
    same = RateResamples(table, torch.ones(1, len(table.names), dtype=torch.float64))
    assert float(same.eer()) == pytest.approx(result.eer, abs=1e-3)
    for point in result.points:
        assert float(same.tar(point.far)) == pytest.approx(point.tar, abs=2e-3)
        assert float(same.tar(point.far)) <= point.tar
    drawn = Bootstrap(3).weights(len(table.names))
    rates = RateResamples(table, drawn)
    for row, weights in enumerate(drawn.tolist()):
        exact = verify(
            repeated(query, dict(zip(table.names, weights, strict=True))),
            gallery,
            fars=(1e-2, 1e-3),
        )
        assert float(rates.eer()[row]) == pytest.approx(exact.eer, abs=1e-3)
        assert float(rates.tar(1e-2)[row]) == pytest.approx(exact.tar(1e-2), abs=4e-3)
        assert float(rates.tar(1e-3)[row]) == pytest.approx(exact.tar(1e-3), abs=4e-3)


def test_mistakes_are_told(run):
    with pytest.raises(EvaluationError, match="at least one resample"):
        Bootstrap(resamples=0)
    with pytest.raises(EvaluationError, match="level between 0 and 1"):
        Bootstrap(level=95)
    with pytest.raises(EvaluationError, match="how each query fared"):
        Evidence(replace(run.scores, results=()))
    with pytest.raises(EvaluationError, match="all must be of one evaluation"):
        Evidence(run.scores, run.verification, run.accepted[:1])
    other = evidence(images(150, 8))
    with pytest.raises(EvaluationError, match="not scored on the same queries"):
        paired_difference(run, other)
