"""How pairs of strangers score: exact counts, whatever is left out between them."""

from itertools import pairwise

import numpy as np
import pytest

from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.thresholds import stranger_scores as module
from promptreid.evaluation.thresholds.stranger_scores import StrangerScores, stranger_scores


def images(count=90, identities=30, seed=0, dim=8, distinct=None):
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal((count, dim))
    if distinct is not None:  # copies of a few vectors: many equal scores
        vectors = vectors[generator.integers(distinct, size=count)]
    return Embeddings.from_vectors(vectors, np.arange(count) % identities)


def scores_by_loop(*sets):
    """Scores of all unordered pairs of different identities, as the product of one block gives."""
    found = []
    for data in sets:
        cosines = data.vectors @ data.vectors.T
        for i in range(len(data)):
            for j in range(i + 1, len(data)):
                if data.identities[i] != data.identities[j]:
                    found.append(float(cosines[i, j]))
    return np.array(found)


@pytest.mark.parametrize("highest", [4, 64, 100_000])
@pytest.mark.parametrize("distinct", [None, 7])
def test_counts_are_those_of_a_loop(monkeypatch, highest, distinct):
    monkeypatch.setattr(module, "_HIGHEST", highest)
    data = images(distinct=distinct)
    found, scores = stranger_scores([data]), scores_by_loop(data)
    assert found.pairs == len(scores)
    for score, reaching in zip(found.scores, found.reaching, strict=True):
        assert reaching == (scores >= score - 1e-7).sum() or reaching == (scores >= score).sum()
    assert found.reaching[-1] == found.pairs
    if highest > 4 or distinct:  # the highest score itself is kept
        assert found.scores[0] == pytest.approx(scores.max(), abs=1e-6)


@pytest.mark.parametrize("highest", [4, 100_000])
def test_no_score_is_told_rarer_than_it_is_and_few_too_common(monkeypatch, highest):
    monkeypatch.setattr(module, "_HIGHEST", highest)
    data = images(count=200, identities=100)
    found, scores = stranger_scores([data]), scores_by_loop(data)
    for score in np.linspace(-1, 1, 401):
        true, told = int((scores >= score).sum()), found.reached(float(score))
        assert true <= told <= max(1.05 * true + 1, 1 + true) + 4 * (highest == 4)


def test_scores_beyond_the_ends():
    found = stranger_scores([images()])
    assert found.reached(found.scores[0]) == 1
    assert found.reached(np.nextafter(found.scores[0], 2)) == 0
    assert found.reached(1.0) == 0
    assert found.reached(-1.0) == found.pairs == 30 * 29 // 2 * 9


def test_pairs_are_made_within_each_set():
    first, second = images(seed=1), images(seed=2, count=60)
    found = stranger_scores([first, second])
    scores = scores_by_loop(first, second)
    assert found.pairs == len(scores)
    assert found.reached(0.3) >= (scores >= 0.3).sum() > 0.9 * found.reached(0.3)


def test_it_is_small_and_survives_json():
    found = stranger_scores([images(count=1200, identities=600)])
    assert found.pairs > 700_000
    assert len(found.scores) < 400
    assert all(more <= 1.05 * few + 1 for few, more in pairwise(found.reaching[:-60]))
    assert StrangerScores.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    "damage",
    [
        {"scores": [0.1, 0.2]},
        {"reaching": [2, 2]},
        {"reaching": [1, 99]},
        {"scores": [0.2]},
        {"scores": [float("nan"), 0.1]},
    ],
)
def test_damaged_numbers_are_refused(damage):
    whole = {"pairs": 3, "scores": [0.2, 0.1], "reaching": [1, 3]}
    assert StrangerScores.from_dict(whole).reached(0.15) == 3
    with pytest.raises(ValueError, match="strangers must fall"):
        StrangerScores.from_dict({**whole, **damage})
