"""Scores of one model on the scale of another, by rank among pairs of reference."""

import numpy as np
import torch

from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.thresholds.pair_sets import (
    PairSet,
    RankScale,
    all_impostor_scores,
    impostor_scores,
    pair_sets,
)


def numbers(count, seed, low=-0.5, high=0.9):
    return torch.from_numpy(np.random.default_rng(seed).uniform(low, high, count)).float()


def test_ranks_are_kept():
    own, targets = numbers(200, 0), numbers(900, 1, 0.5, 0.95)
    moved = RankScale(own, targets)(own)
    for score, found in zip(own.tolist(), moved.tolist(), strict=True):
        share = (own >= score).double().mean()
        assert abs(float((targets >= found).double().mean() - share)) < 0.01


def test_it_never_turns_an_order_round_and_ends_at_one():
    scale = RankScale(numbers(50, 0), numbers(70, 1, 0.5, 0.95))
    scores = torch.linspace(-1, 1, 2001)
    moved = scale(scores)
    assert bool((moved.diff() >= 0).all())
    assert moved[0] == -1
    assert moved[-1] == 1
    assert float(scale(torch.tensor([0.9]))) < 1  # higher than all reference pairs, and not yet one


def test_what_is_no_pair_stays_none_and_the_shape_stays():
    scores = torch.tensor([[0.3, -torch.inf], [-torch.inf, 0.1]])
    moved = RankScale(numbers(50, 0), numbers(70, 1))(scores)
    assert moved.shape == (2, 2)
    assert moved.isneginf().tolist() == scores.isneginf().tolist()


def test_one_model_is_on_its_own_scale():
    own = numbers(400, 0)
    assert torch.allclose(RankScale(own, own)(own), own, atol=0.01)
    single = RankScale(torch.tensor([0.2]), torch.tensor([0.6]))
    assert float(single(torch.tensor([0.2]))) == np.float32(0.6)
    equal = RankScale(torch.full((9,), 0.5), numbers(30, 2))
    assert -1 < float(equal(torch.tensor([0.5]))) < 1


def test_pairs_are_those_of_a_loop():
    vectors = np.random.default_rng(0).standard_normal((12, 4))
    data = Embeddings.from_vectors(vectors, list("abcabcabcabc"))
    cosines = data.vectors @ data.vectors.T
    wanted = sorted(
        float(cosines[i, j])
        for i in range(12)
        for j in range(i)
        if data.identities[i] != data.identities[j]
    )
    assert np.allclose(sorted(all_impostor_scores(data).tolist()), wanted, atol=1e-6)
    scale = RankScale(torch.tensor(wanted), numbers(99, 1))
    (one,) = pair_sets(PairSet(data, scale))
    found = torch.cat(list(impostor_scores([one])))
    assert np.allclose(
        sorted(found[found > -torch.inf].tolist()), scale(torch.tensor(wanted)), atol=1e-3
    )
    assert [part.scale for part in pair_sets([data, one])] == [None, scale]
