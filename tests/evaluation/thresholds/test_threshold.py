"""What a threshold says of a pair, and what it keeps of itself."""

import pytest

from promptreid.evaluation.thresholds.stranger_scores import StrangerScores
from promptreid.evaluation.thresholds.threshold import PairComparison, Threshold

STRANGERS = StrangerScores(10_000, (0.9, 0.8, 0.5, 0.1, -0.2), (1, 3, 70, 7_000, 10_000))
FULL = Threshold(
    threshold=0.6,
    far=1e-3,
    pairs=10_000,
    images=150,
    identities=30,
    source="our gate",
    people="unseen",
    far_interval=(0.0, 0.004),
    genuine=600,
    tar=0.95,
    strangers=STRANGERS,
)


def test_an_answer_is_true_where_it_is_the_same():
    assert PairComparison(0.5, 0.5, 1e-3)
    assert PairComparison(0.5, 0.5, 1e-3).same
    assert not PairComparison(0.49, 0.5, 1e-3)


def test_an_answer_says_what_its_rate_rests_on():
    assert PairComparison(0.5, 0.4, 1e-3, "held-out images").source == "held-out images"
    assert PairComparison(0.5, 0.4, 1e-3).source == ""


@pytest.mark.parametrize(
    ("score", "reached", "one_in", "words"),
    [
        (0.95, 0, 10_000, "fewer than 1 in 10,000 strangers score so high"),
        (0.9, 1, 10_000, "1 in 10,000 strangers scores so high"),
        (0.8, 3, 3_300, "1 in 3,300 strangers scores so high"),
        (0.5, 70, 140, "1 in 140 strangers scores so high"),
        (0.1, 7_000, 1, "70% of strangers score so high"),
        (-0.9, 10_000, 1, "100% of strangers score so high"),
    ],
)
def test_how_rare_a_score_is(score, reached, one_in, words):
    answer = FULL.compare(score)
    assert (answer.reached, answer.one_in, answer.rarity) == (reached, one_in, words)
    assert answer.same == (score >= 0.6)
    assert str(answer).endswith(words)


def test_without_kept_scores_rarity_is_not_known():
    answer = Threshold(0.6, 1e-3, 50).compare(0.7)
    assert (answer.reached, answer.one_in, answer.rarity) == (None, None, "")
    assert str(answer) == "the same: cosine 0.7000, from 0.6000"


def test_all_of_it_survives_json():
    assert Threshold.from_dict(FULL.to_dict()) == FULL
    bare = {"threshold": 0.5, "far": 0.1, "pairs": 10}
    assert Threshold.from_dict(bare) == Threshold(0.5, 0.1, 10)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({"people": "aliens"}, "people is 'aliens', none of 'unseen'"),
        ({"far_interval": [0.1]}, "far_interval.1: "),
        ({"far_interval": 3}, "far_interval: "),
        ({"strangers": {"pairs": 3}}, "strangers.scores: "),
        ({"strangers": 7}, "strangers: "),
        ({"tar": "much"}, "tar: "),
    ],
)
def test_damage_is_found_when_it_is_read(damage, told):
    with pytest.raises(ValueError, match=told):
        Threshold.from_dict({**FULL.to_dict(), **damage})
