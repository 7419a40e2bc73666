from __future__ import annotations

import numpy as np
import pytest

from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings import Embeddings
from promptreid.evaluation.threshold import (
    RATES,
    Comparison,
    Threshold,
    choose_threshold,
    impostor_pairs,
    smallest_rate,
)


def images(count=60, identities=12, seed=0):
    generator = np.random.default_rng(seed)
    names = np.arange(count) % identities
    centers = generator.standard_normal((identities, 8))
    return Embeddings.from_vectors(
        centers[names] + 0.8 * generator.standard_normal((count, 8)), names
    )


@pytest.mark.parametrize("far", [0.2, 0.01, 1e-3])
def test_is_the_lowest_that_keeps_the_rate(far):
    data = images()
    chosen = choose_threshold(data, far)
    cosines = (data.vectors @ data.vectors.T).numpy()
    names = np.array(data.identities)
    upper = np.triu(np.ones_like(cosines, bool), 1)
    same = names[:, None] == names[None]
    impostors, genuine = cosines[upper & ~same], cosines[upper & same]
    assert chosen.pairs == len(impostors) == 60 * 55 / 2
    assert chosen.far == far
    margin = 1e-6
    assert (impostors >= chosen.threshold + margin).sum() <= far * len(impostors)
    lower = max(
        score for score in np.concatenate([impostors, genuine]) if score < chosen.threshold - margin
    )
    assert (impostors >= lower - margin).sum() > far * len(impostors)


@pytest.mark.parametrize("far", [0.2, 0.01, 6.1e-4])
@pytest.mark.parametrize("cameras", ["one each", "one image each"])
def test_needs_no_pair_of_one_identity(far, cameras):
    if cameras == "one image each":
        data = images(count=60, identities=60)
    else:  # the camera rule leaves no pair of one identity
        plain = images()
        numbers = [int(name) for name in plain.identities]
        data = Embeddings.from_vectors(plain.vectors, plain.identities, cameras=numbers)
    chosen = choose_threshold(data, far)
    cosines = (data.vectors @ data.vectors.T).numpy()
    names = np.array(data.identities)
    impostors = np.sort(cosines[np.triu(names[:, None] != names[None])])[::-1]
    allowed = int(far * len(impostors))
    assert chosen.pairs == len(impostors)
    assert chosen.threshold == pytest.approx(impostors[allowed - 1], abs=1e-6)
    assert (impostors >= chosen.threshold + 1e-6).sum() <= allowed
    assert impostors[allowed] < chosen.threshold


def test_equal_scores_of_two_identities_are_all_refused_together():
    """Where the threshold would fall between equal scores, it goes above all of them."""
    angles = np.array([0.0, 0.2, 1.0, 1.2])
    turned = np.stack([np.cos(angles), np.sin(angles)], 1)
    data = Embeddings.from_vectors(np.repeat(turned, 2, 0).astype(np.float64), list("aabbccdd"))
    chosen = choose_threshold(data, 0.05)
    between = float(data.vectors[0] @ data.vectors[2])  # eight pairs score that, one is allowed
    assert chosen.threshold > between
    alone = Embeddings.from_vectors(np.ones((3, 2)), ["a", "b", "c"])
    assert choose_threshold(alone, 0.5).threshold > 1 - 1e-6
    assert not (alone.vectors @ alone.vectors.T >= choose_threshold(alone, 0.5).threshold).any()


def test_what_it_rests_on_is_kept_and_survives_json():
    chosen = choose_threshold(images(), 0.01, source="held-out images")
    assert (chosen.images, chosen.identities, chosen.source) == (60, 12, "held-out images")
    assert Threshold.from_dict(chosen.to_dict()) == chosen
    bare = {"threshold": 0.5, "far": 0.1, "pairs": 10}
    assert Threshold.from_dict(bare) == Threshold(0.5, 0.1, 10, 0, 0, "")
    with pytest.raises(KeyError):
        Threshold.from_dict({"threshold": 0.5, "far": 0.1})


def test_one_identity_makes_no_pairs():
    alone = Embeddings.from_vectors(np.eye(3), ["a", "a", "a"])
    with pytest.raises(EvaluationError, match="3 images of one make none"):
        choose_threshold(alone, 0.5)


@pytest.mark.parametrize(
    ("identities", "pairs", "rate"),
    [
        (["a", "a"], 0, None),
        (["a", "b", "c"], 3, None),
        (["a", "a", "b", "c", "d"], 9, None),
        (["a", "b", "c", "d", "e"], 10, 0.1),
        ([str(n) for n in range(45)], 990, 0.01),
        ([str(n) for n in range(46)], 1035, 1e-3),
    ],
)
def test_the_smallest_rate_that_pairs_can_carry(identities, pairs, rate):
    assert impostor_pairs(identities) == pairs
    assert smallest_rate(identities) == rate
    assert rate is None or RATES[0] <= rate


def test_too_few_pairs_are_told():
    with pytest.raises(EvaluationError, match=r"0\.0001 cannot be measured on 1,650 pairs") as told:
        choose_threshold(images(), 1e-4)
    assert "smallest that can is 0.00061" in str(told.value)
    assert choose_threshold(images(), 6.1e-4).pairs == 1650


def test_an_answer_is_true_where_it_is_the_same():
    assert Comparison(0.5, 0.5, 1e-3)
    assert Comparison(0.5, 0.5, 1e-3).same
    assert not Comparison(0.49, 0.5, 1e-3)


def test_an_answer_says_what_its_rate_rests_on():
    assert Comparison(0.5, 0.4, 1e-3, "held-out images").source == "held-out images"
    assert Comparison(0.5, 0.4, 1e-3).source == ""
