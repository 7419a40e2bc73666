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
    expected = [(1 + sum(value >= score for value in null)) / 31 for score in scores]
    assert p_values(scores, null).tolist() == expected
    assert p_values([0.5], []).tolist() == [1.0]


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.05, 0.03, 0.01])
@pytest.mark.parametrize("identities", [1, 5, 19, 20, 99, 100, 250])
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
    # A null score is measured against one identity fewer than a query, and without the stranger.
    assert realised.mean() <= rate + least_rate(identities) + 2 * error
    assert realised.mean() >= 0.6 * rate  # nor is the promise kept by recognising nobody


def test_a_fixed_threshold_accepts_more_and_more_as_a_gallery_grows():
    few, many = (
        np.mean([accepted(size, 0.05, seed)[1] for seed in range(20)]) for size in (60, 400)
    )
    assert many > 1.5 * few > 0
