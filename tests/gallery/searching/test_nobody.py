"""The promise of "nobody": p-values by definition, and rates that are kept in simulations."""

import math

import numpy as np
import pytest

from promptreid.gallery.searching.aggregate import Aggregate, identity_scores
from promptreid.gallery.searching.nobody import (
    accepting_score,
    identities_needed,
    least_rate,
    p_values,
)


def test_p_values_count_who_scores_as_high():
    rng = np.random.default_rng(0)
    null = rng.integers(0, 10, 30) / 10  # many ties
    scores = [*rng.integers(-2, 13, 50) / 10]
    expected = [min(2 + sum(value >= score for value in null), 31) / 31 for score in scores]
    assert p_values(scores, null).tolist() == expected
    assert p_values([0.5], []).tolist() == [1.0]


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.05, 0.03, 0.01])
@pytest.mark.parametrize("identities", [1, 5, 19, 38, 39, 40, 99, 199, 250])
def test_the_accepting_score_is_where_p_values_reach_the_rate(identities, rate):
    null = np.random.default_rng(identities).integers(0, 40, identities) / 40
    border = accepting_score(null, rate)
    for score in np.arange(-1, 42) / 40:
        assert (p_values([score], null)[0] <= rate) == (score > border)
    assert math.isinf(border) == (rate < least_rate(identities))


@pytest.mark.parametrize("rate", [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.003, 1e-4])
def test_just_enough_identities_promise_a_rate(rate):
    needed = identities_needed(rate)
    assert least_rate(needed) <= rate * (1 + 1e-9)
    assert needed == 1 or least_rate(needed - 1) > rate


FAMILY, IMAGES, WIDTH = 8, 2, 8


def draw_faces(identities, rng):
    """Return (identities, IMAGES, WIDTH) vectors of people of whom eight each look alike."""
    parents = rng.normal(size=(identities // FAMILY + 1, WIDTH))
    people = parents[np.arange(identities) // FAMILY] + rng.normal(0, 0.6, (identities, WIDTH))
    images = people[:, None] + rng.normal(0, 0.4, (identities, IMAGES, WIDTH))
    images = images[rng.permutation(identities)]  # families are torn between enrolled and strangers
    return (images / np.linalg.norm(images, axis=2, keepdims=True)).astype(np.float32)


FIXED = 0.9


def accepted(identities, rate, seed):
    """Return which parts of strangers a gallery accepts, by p-value and by a fixed score."""
    faces = draw_faces(2 * identities, np.random.default_rng([seed, identities]))
    enrolled, strangers = faces[:identities], faces[identities:, 0]
    vectors = enrolled.reshape(-1, WIDTH)
    codes = np.repeat(np.arange(identities), IMAGES)
    everyone = np.ones(len(vectors), bool)
    own = identity_scores(enrolled[:, 0], vectors, codes, identities, everyone, Aggregate())
    np.fill_diagonal(own, -np.inf)
    scores = identity_scores(strangers, vectors, codes, identities, everyone, Aggregate()).max(1)
    return (p_values(scores, own.max(1)) <= rate).mean(), (scores >= FIXED).mean()


@pytest.mark.parametrize("rate", [0.05, 0.1])
@pytest.mark.parametrize("identities", [60, 400])
def test_strangers_are_accepted_at_the_rate_that_is_promised(identities, rate):
    realised = np.array([accepted(identities, rate, seed)[0] for seed in range(60)])
    error = realised.std(ddof=1) / math.sqrt(len(realised))
    assert realised.mean() <= rate + 2 * error
    assert realised.mean() >= 0.6 * rate  # nor is the promise kept by recognising nobody


def count_accepted(faces, rate):
    """Count who is taken for somebody by a gallery of all the others, each in turn."""
    people, images, width = faces.shape
    everyone = faces.reshape(-1, width)
    scores = (faces[:, 0] @ everyone.T).reshape(people, people, images).max(2)
    np.fill_diagonal(scores, -np.inf)
    accepted = 0
    for stranger in range(people):
        others = np.delete(np.arange(people), stranger)
        null = scores[np.ix_(others, others)].max(1)
        accepted += p_values([scores[stranger].max()], null)[0] <= rate
    return accepted


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("images", [1, 2, 5])
@pytest.mark.parametrize("people", [3, 40, 64])
def test_of_any_people_no_more_than_the_rate_are_accepted_by_the_others(people, images, rate):
    # With one image each the rate is a bound for any set of people, not only on average. With
    # several, strangers' other images may be the best match of several; those are less than t each.
    allowed = math.floor(rate * people + 1e-9)
    if images > 1 and allowed > 1:
        allowed += math.floor((1 + math.sqrt(8 * allowed - 7)) / 2) - 1
    for seed in range(6):
        rng = np.random.default_rng([seed, people, images])
        faces = draw_faces(2 * people, rng)[:people, :1].repeat(images, 1)
        faces += rng.normal(0, 0.2, faces.shape).astype(np.float32) * (images > 1)
        assert count_accepted(faces, rate) <= allowed


def test_a_fixed_threshold_accepts_more_and_more_as_a_gallery_grows():
    few, many = (
        np.mean([accepted(size, 0.05, seed)[1] for seed in range(20)]) for size in (60, 400)
    )
    assert many > 1.5 * few > 0
