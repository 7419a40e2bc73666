from __future__ import annotations

import numpy as np
import pytest

from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.thresholds.pair_sets import PairSet, RankScale, all_impostor_scores
from promptreid.evaluation.thresholds.threshold import RATES, Threshold
from promptreid.evaluation.thresholds.threshold_choice import (
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
    with pytest.raises(ValueError, match="pairs: field required"):
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
        ([str(n % 6) for n in range(30)], 375, 0.1),  # fifteen pairs of identities
        ([str(n % 2) for n in range(10)], 25, 0.1),  # the largest rate is content with images
        ([str(n % 15) for n in range(150)], 10_500, 0.01),
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


@pytest.mark.parametrize("far", [0.2, 0.01, 2e-3])
def test_of_several_sets_all_pairs_count_together(far):
    """Scores of two models are no scores of one space, so pairs are made within each set only."""
    sets = [images(count=40, seed=1), images(count=30, identities=10, seed=2)]
    chosen = choose_threshold(sets, far)
    impostors, genuine = [], []
    for data in sets:
        cosines = (data.vectors @ data.vectors.T).numpy()
        for i in range(len(data)):
            for j in range(i + 1, len(data)):
                same = data.identities[i] == data.identities[j]
                (genuine if same else impostors).append(cosines[i, j])
    impostors, genuine = np.array(impostors), np.array(genuine)
    assert chosen.pairs == len(impostors)
    assert chosen.genuine == len(genuine)
    assert (chosen.images, chosen.identities) == (70, 12)
    assert (impostors >= chosen.threshold - 1e-6).sum() <= far * len(impostors)
    assert chosen.tar == pytest.approx((genuine >= chosen.threshold - 1e-6).mean())
    lower = max(x for x in np.concatenate([impostors, genuine]) if x < chosen.threshold - 1e-6)
    assert (impostors >= lower).sum() > far * len(impostors)
    assert chosen.strangers.pairs == chosen.pairs
    assert chosen.strangers.reached(chosen.threshold) <= far * chosen.pairs * 1.05 + 1
    assert smallest_rate(*(data.identities for data in sets)) == 0.01  # 66 + 45 of identities


def test_pairs_of_one_identity_and_camera_do_not_count_as_found():
    plain = images(count=24, identities=6)
    data = Embeddings.from_vectors(plain.vectors, plain.identities, cameras=[0] * 12 + [1] * 12)
    assert choose_threshold(data, 0.1).genuine == 6 * 4  # two by two, across the cameras
    assert choose_threshold(data, 0.1, same_camera="keep").genuine == 6 * 6


def test_scores_are_brought_to_the_scale_that_they_are_for():
    """Halving all cosines of one set and undoing it by rank changes nothing that is chosen."""
    data = images(seed=3)
    low = Embeddings.from_vectors(
        np.hstack([data.vectors, np.ones((len(data), 1))]), data.identities
    )  # every cosine becomes (1 + cosine) / 2
    targets, own = all_impostor_scores(data), all_impostor_scores(low)
    plain = choose_threshold(data, 0.01)
    moved = choose_threshold(PairSet(low, RankScale(own, targets)), 0.01)
    assert moved.threshold == pytest.approx(plain.threshold, abs=1e-3)
    assert moved.tar == pytest.approx(plain.tar, abs=0.01)
    assert moved.far_interval == pytest.approx(plain.far_interval, abs=2e-3)
    assert choose_threshold(low, 0.01).threshold > plain.threshold + 0.1
