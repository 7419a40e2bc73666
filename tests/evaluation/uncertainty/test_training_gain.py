"""Whether training was worth it, against a loop over resampled identities."""

import numpy as np
import pytest

from promptreid.errors import EvaluationError
from promptreid.evaluation import Embeddings, evaluate
from promptreid.evaluation.uncertainty.resampling import BOOTSTRAP
from promptreid.evaluation.uncertainty.training_gain import GAINED, training_worth, worth_text


def scored(noise, *, identities=12, seed=0):
    """Queries and gallery of people whose images spread by `noise`."""
    rng = np.random.default_rng(seed)
    names = np.repeat(np.arange(identities), 3)
    centers = rng.standard_normal((identities, 6))
    sides = [centers[names] + noise * rng.standard_normal((len(names), 6)) for _ in range(2)]
    return evaluate(*(Embeddings.from_vectors(side, names) for side in sides))


def test_the_difference_is_that_of_a_loop_over_drawn_identities():
    before, after = scored(2.0), scored(0.9, seed=1)
    worth = training_worth(before, after, untrained="as it is")
    aps = [dict.fromkeys(range(12), 0.0) for _ in range(2)]
    for number, scores in enumerate((before, after)):
        (result,) = scores.results
        for name, value in zip(result.identities, result.values["mAP"].tolist(), strict=True):
            aps[number][int(name)] += value
    names = sorted(map(str, range(12)))
    differences = []
    for weights in BOOTSTRAP.weights(12).tolist():
        drawn = [
            sum(w * aps[side][int(name)] for name, w in zip(names, weights, strict=True))
            / (3 * sum(weights))
            for side in range(2)
        ]
        differences.append(drawn[1] - drawn[0])
    gain = worth.gains["mAP"]
    assert (gain.before, gain.after) == (before.mAP, after.mAP)
    assert gain.difference.value == pytest.approx(after.mAP - before.mAP)
    low, high = np.quantile(differences, [0.025, 0.975])
    assert (gain.difference.low, gain.difference.high) == pytest.approx((low, high), abs=1e-9)
    assert worth.identities == 12
    assert tuple(worth.gains) == GAINED


@pytest.mark.parametrize(
    ("noises", "verdict", "words"),
    [
        ((2.5, 0.3), "better", "Training was worth it."),
        ((0.3, 2.5), "worse", "Training made it worse."),
        ((1.0, 1.0), "unclear", "No clear difference"),
    ],
)
def test_the_verdict_follows_the_interval(noises, verdict, words):
    before, after = scored(noises[0]), scored(noises[1], seed=5)
    values = training_worth(before, after, untrained="tiny untrained").to_dict()
    assert values["verdict"] == values["mAP"]["verdict"] == verdict
    low, high = values["mAP"]["difference"]["low"], values["mAP"]["difference"]["high"]
    assert {"better": low > 0, "worse": high < 0, "unclear": low <= 0 <= high}[verdict]
    text = worth_text(values)
    assert words in text
    assert text.startswith("Before training (tiny untrained) and after:\n  mAP")
    assert f"{100 * before.mAP:5.1f} -> {100 * after.mAP:5.1f}" in text
    assert "take it as a hint" not in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_few_identities_make_it_a_hint():
    before, after = scored(2.5, identities=5), scored(0.3, identities=5, seed=5)
    text = worth_text(training_worth(before, after, untrained="tiny untrained").to_dict())
    assert "only 5 test identities" in text
    assert "take it as a hint" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_other_queries_cannot_be_compared():
    with pytest.raises(EvaluationError, match="not scored on the same queries"):
        training_worth(scored(1.0), scored(1.0, identities=10), untrained="as it is")
