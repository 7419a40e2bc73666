from __future__ import annotations

import numpy as np
import pytest
import torch

from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.verification.accepted_pairs import count_accepted
from promptreid.evaluation.verification.verification import verify


def coarse_set(count, seed, identities=5):
    """Similarities in quarters, exact, so that thresholds meet scores."""
    generator = np.random.default_rng(seed)
    return Embeddings.from_vectors(
        generator.choice([-0.5, 0.5], (count, 4)),
        generator.integers(0, identities, count),
        cameras=generator.integers(0, 2, count).tolist(),
    )


def naive(query, gallery, thresholds, exclude):
    alone = query is gallery
    cosines = query.vectors.double() @ gallery.vectors.double().T
    true, false = (np.zeros((len(query), len(thresholds)), int) for _ in range(2))
    totals = np.zeros((len(query), 2), int)
    for q in range(len(query)):
        for g in range(len(gallery)):
            same = query.identities[q] == gallery.identities[g]
            camera = exclude and query.cameras[q] == gallery.cameras[g]
            if (alone and q == g) or (same and camera):
                continue
            totals[q, int(same)] += 1
            for t, threshold in enumerate(thresholds):
                (true if same else false)[q, t] += int(cosines[q, g] >= threshold)
    return true, false, totals


@pytest.mark.parametrize("rule", ["exclude", "keep"])
@pytest.mark.parametrize("alone", [True, False])
def test_counts_equal_loops(rule, alone):
    query = coarse_set(37, 0)
    gallery = query if alone else coarse_set(50, 1)
    thresholds = [-torch.inf, -0.5, 0.0, 0.3, 0.5, 1.0, 1.5]
    true, false, totals = naive(query, gallery, thresholds, rule == "exclude")
    found = count_accepted(query, gallery, thresholds[::-1], same_camera=rule, block=16)
    assert found.thresholds.tolist() == pytest.approx(thresholds)
    assert np.array_equal(found.true.numpy(), true)
    assert np.array_equal(found.false.numpy(), false)
    assert np.array_equal(found.impostors.numpy(), totals[:, 0])
    assert np.array_equal(found.genuine.numpy(), totals[:, 1])
    assert found.names == query.identities

    joined = count_accepted(query, gallery, thresholds, same_camera=rule, by="identity")
    assert joined.names == tuple(dict.fromkeys(query.identities))
    for row, name in enumerate(joined.names):
        members = [q for q, other in enumerate(query.identities) if other == name]
        assert np.array_equal(joined.true[row].numpy(), true[members].sum(0))
        assert np.array_equal(joined.false[row].numpy(), false[members].sum(0))
        assert int(joined.genuine[row]) == totals[members, 1].sum()


def test_thresholds_of_verification_give_its_rates():
    generator = np.random.default_rng(3)
    query, gallery = (
        Embeddings.from_vectors(
            generator.standard_normal((count, 5)), generator.integers(0, 6, count)
        )
        for count in (60, 80)
    )
    (result,) = verify(query, gallery, fars=(0.1, 0.01)).per_repeat
    found = count_accepted(query, gallery, [point.threshold for point in result.points])
    for point, column in zip(result.points[::-1], (1, 0), strict=True):
        assert int(found.false[:, column].sum()) == point.false_accepts
        assert float(found.true[:, column].sum() / found.genuine.sum()) == pytest.approx(point.tar)


def test_mistakes_are_told():
    data = coarse_set(6, 0)
    for thresholds in ([], [float("nan")]):
        with pytest.raises(EvaluationError, match="at least one threshold"):
            count_accepted(data, data, thresholds)
