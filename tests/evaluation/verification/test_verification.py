from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.multi_query import join_queries
from promptreid.evaluation.verification.float_order import (
    bucket_counts,
    bucket_starts,
    from_keys,
    next_above,
    order_keys,
)
from promptreid.evaluation.verification.pairs import Pairs
from promptreid.evaluation.verification.verification import verify, verify_protocol

FARS = (0.5, 0.1, 0.03, 0.01)


def random_set(count, seed, identities=9, cameras=3, spread=1.0, dim=6):
    generator = np.random.default_rng(seed)
    names = generator.integers(0, identities, count)
    centers = np.random.default_rng(0).standard_normal((identities, dim))
    return Embeddings.from_vectors(
        centers[names] + spread * generator.standard_normal((count, dim)),
        names,
        cameras=generator.integers(0, cameras, count).tolist(),
    )


def coarse_set(count, seed, identities=5):
    """Four coordinates of one half each: similarities in quarters, so that ties abound."""
    generator = np.random.default_rng(seed)
    vectors = generator.choice([-0.5, 0.5], (count, 4))
    return Embeddings.from_vectors(
        vectors, generator.integers(0, identities, count), cameras=[row % 2 for row in range(count)]
    )


def naive_pairs(query, gallery, exclude):
    """Labels and scores of all pairs, one by one; scores as the library computes them."""
    alone = query is gallery
    scores = np.empty((len(query), len(gallery)), np.float32)
    for block in Pairs(query, gallery, exclude_camera=False):
        scores[block.queries] = block.impostors.numpy()
    exact = (query.vectors.double() @ gallery.vectors.double().T).float().numpy()
    labels, values = [], []
    for q in range(len(query)):
        for g in range(len(gallery)):
            same = query.identities[q] == gallery.identities[g]
            if alone and g <= q:
                continue
            if same and exclude and query.cameras[q] == gallery.cameras[g]:
                continue
            if not same:
                assert abs(scores[q, g] - exact[q, g]) < 1e-6
            labels.append(same)
            values.append(exact[q, g] if same else scores[q, g])
    return np.array(labels), np.array(values, np.float32)


def all_pairs(query, gallery, exclude):
    """Labels and scores as `Pairs` streams them, after a check against the pairs one by one."""
    genuine, impostors = [], []
    for block in Pairs(query, gallery, exclude_camera=exclude, once=True, block=16):
        genuine.append(block.genuine.numpy())
        kept = block.impostors[block.impostors > -math.inf]
        impostors.append(kept.numpy())
    genuine, impostors = np.concatenate(genuine), np.concatenate(impostors)
    labels, values = naive_pairs(query, gallery, exclude)
    assert (len(genuine), len(impostors)) == (labels.sum(), (~labels).sum())
    assert np.allclose(np.sort(values[~labels]), np.sort(impostors), atol=1e-6)
    assert np.allclose(np.sort(values[labels]), np.sort(genuine), atol=1e-6)
    return (
        np.concatenate([np.ones(len(genuine), bool), np.zeros(len(impostors), bool)]),
        np.concatenate([genuine, impostors]),
    )


def naive_point(labels, scores, far):
    """The threshold that accepts most genuine pairs, by trying every score."""
    best = (0.0, None)
    for threshold in np.unique(scores)[::-1]:
        false = int((scores[~labels] >= threshold).sum())
        if false > math.floor(round(far * (~labels).sum(), 9)):
            break
        best = ((scores[labels] >= threshold).mean(), threshold, false)
    return best


def naive_eer(far, tar):
    """Follow the curve from corner to corner until FAR + TAR = 1."""
    for index in range(1, len(far)):
        low, high = far[index - 1] + tar[index - 1] - 1, far[index] + tar[index] - 1
        if high >= 0:
            return far[index - 1] + (far[index] - far[index - 1]) * -low / (high - low)
    raise AssertionError


def check(found, labels, scores, fars):
    (result,) = found.per_repeat
    assert (result.genuine, result.impostors) == (labels.sum(), (~labels).sum())
    far, tar, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    assert found.auc == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found.eer == pytest.approx(naive_eer(far, tar), abs=1e-12)
    first = int(np.argmax(far >= 1 - tar - 1e-12))
    assert result.eer_threshold == np.float32(thresholds[first])
    for rate in fars:
        point = result.point(rate)
        wanted = naive_point(labels, scores, rate)
        if rate * (~labels).sum() < 1 - 1e-9:
            assert point.threshold is None
            assert (point.tar, point.threshold, point.false_accepts) == (None, None, 0)
            continue
        assert point.tar == pytest.approx(wanted[0], abs=1e-12)
        assert point.tar == pytest.approx(tar[far <= rate + 1e-12].max(), abs=1e-12)
        if wanted[1] is None:
            assert point.false_accepts == 0
            assert point.threshold == next_above(float(scores.max()))
        else:
            assert (point.threshold, point.false_accepts) == (wanted[1], wanted[2])
        accepted = scores >= np.float32(point.threshold)
        assert accepted[~labels].sum() == point.false_accepts
        assert accepted[labels].mean() == pytest.approx(point.tar)
    check_curve(result, labels, scores)
    edges = np.array(result.histogram.edges, np.float32)
    for kind, counts in ((labels, result.histogram.genuine), (~labels, result.histogram.impostors)):
        # NumPy decides at equal edges with rounding of its own, so count by hand.
        values = scores[kind]
        inner = [(values >= edge).sum() for edge in edges[1:-1]]
        levels = np.array([len(values), *inner, 0])
        assert counts == tuple(-np.diff(levels))


def check_curve(result, labels, scores):
    curve = result.curve
    for far, tar, threshold in zip(curve.far, curve.tar, curve.thresholds, strict=True):
        accepted = scores >= np.float32(threshold)
        assert far == pytest.approx(accepted[~labels].mean(), abs=1e-12)
        assert tar == pytest.approx(accepted[labels].mean(), abs=1e-12)
    assert (curve.far[-1], curve.tar[-1], curve.thresholds[-1]) == (1.0, 1.0, -math.inf)
    assert list(curve.far) == sorted(curve.far)
    assert curve.frr == tuple(1 - value for value in curve.tar)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
def test_equals_scikit_learn_and_naive_loops(seed, spread):
    query, gallery = random_set(35, seed, spread=spread), random_set(60, 50 + seed, spread=spread)
    for rule in ("exclude", "keep"):
        labels, scores = all_pairs(query, gallery, rule == "exclude")
        check(verify(query, gallery, same_camera=rule, fars=FARS), labels, scores, FARS)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 30), st.integers(4, 40), st.integers(2, 6))
def test_equals_scikit_learn_where_ties_abound(seed, queries, images, identities):
    query = coarse_set(queries, seed, identities)
    gallery = coarse_set(images, seed + 1, identities)
    labels, scores = all_pairs(query, gallery, exclude=False)
    if labels.any() and not labels.all():
        check(verify(query, gallery, same_camera="keep", fars=FARS), labels, scores, FARS)


def test_one_set_gives_each_pair_once():
    data = random_set(50, 3)
    labels, scores = all_pairs(data, data, exclude=True)
    assert len(labels) < 50 * 49 / 2
    check(verify(data, data, same_camera="exclude", fars=FARS), labels, scores, FARS)


def test_labels_are_the_right_way_round():
    # Every genuine pair scores 1, every impostor pair 0.
    data = Embeddings.from_vectors(np.eye(3)[[0, 1, 2, 0, 1, 2]], list("abcabc"))
    found = verify(data.select([0, 1, 2]), data.select([3, 4, 5]), fars=(0.5,))
    assert (found.eer, found.auc, found.tar(0.5)) == (0.0, 1.0, 1.0)
    # Genuine pairs are the farthest apart: everything is wrong.
    worst = Embeddings.from_vectors(np.array([[1.0, 0.0], [-1.0, 0.0]]), ["a", "b"])
    turned = Embeddings.from_vectors(np.array([[-1.0, 0.0], [1.0, 0.0]]), ["a", "b"])
    found = verify(worst, turned, fars=(0.5,))
    assert (found.eer, found.auc, found.tar(0.5)) == (1.0, 0.0, 0.0)
    assert found.threshold(0.5) == next_above(1.0)


def test_equal_embeddings_know_nothing():
    data = Embeddings.from_vectors(np.ones((12, 4)), [row % 3 for row in range(12)])
    found = verify(data, data, fars=(0.1, 0.9))
    assert (found.eer, found.auc) == (0.5, 0.5)
    assert found.tar(0.1) == found.tar(0.9) == 0.0
    assert found.threshold(0.1) > found.per_repeat[0].eer_threshold
    assert sum(found.per_repeat[0].histogram.impostors) == found.per_repeat[0].impostors


def test_scores_of_equal_floats_differ_in_the_last_bit():
    # Neighbouring floats share a bucket; the threshold must fall between them.
    angles = np.array([0.0, 1e-3, 1.2e-3, 1.3e-3, 1.5e-3, 1.7e-3])
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1)
    query = Embeddings.from_vectors(vectors[:1], ["a"])
    gallery = Embeddings.from_vectors(vectors[1:], ["a", "b", "a", "c", "d"])
    labels, scores = all_pairs(query, gallery, exclude=False)
    assert len(set(scores)) > 2
    fars = (0.34, 0.67)
    check(verify(query, gallery, fars=fars), labels, scores, fars)


def test_blocks_change_nothing():
    query, gallery = random_set(70, 1), random_set(90, 2)
    found = [verify(query, gallery, block=block, fars=FARS) for block in (16, 48, None)]
    assert found[0] == found[1] == found[2]


def test_long_curves_are_thinned():
    query, gallery = random_set(150, 1, identities=4), random_set(150, 2, identities=4)
    (result,) = verify(query, gallery).per_repeat
    assert 100 < len(result.curve.far) <= 450
    labels, scores = all_pairs(query, gallery, exclude=True)
    check_curve(result, labels, scores)


def test_a_rate_below_one_impostor_cannot_be_measured():
    query, gallery = random_set(20, 1), random_set(20, 2)
    found = verify(query, gallery)
    point = found.per_repeat[0].point(1e-6)
    assert point.threshold is None
    assert found.tar(1e-6) is None
    assert found.threshold(1e-6) is None
    assert found.tar(1e-2) is not None
    # Exactly one impostor pair in a hundred is measurable, however 0.29 is written in binary.
    data = Embeddings.from_vectors(np.eye(101), [*range(101)])
    same = Embeddings.from_vectors(np.eye(101)[:1], [0])
    (result,) = verify(same, data, fars=(0.01, 0.0099, 0.29)).per_repeat
    assert result.impostors == 100
    assert [point.threshold is not None for point in result.points] == [True, False, True]


def test_protocols_are_means_over_repeats():
    data = random_set(120, 5)
    rows = np.random.default_rng(0).permutation(120)
    repeats = (Repeat(rows[:40], rows[40:]), Repeat(rows[80:], rows[:80]))
    protocol = Protocol("two", repeats, "exclude", "step", note="Two draws.")
    found = verify_protocol(data, protocol, fars=(0.1, 1e-4))
    single = [
        verify(data.select(r.query), data.select(r.gallery), same_camera="exclude", fars=(0.1,))
        for r in repeats
    ]
    assert found.eer == pytest.approx(np.mean([one.eer for one in single]))
    assert found.auc == pytest.approx(np.mean([one.auc for one in single]))
    assert found.tar(0.1) == pytest.approx(np.mean([one.tar(0.1) for one in single]))
    assert found.tar(1e-4) is None
    assert found.note == "Two draws."
    values = found.to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["repeats"] == len(values["per_repeat"]) == 2
    assert [point["far"] for point in values["tar"]] == [0.1, 1e-4]
    assert values["curve"]["threshold"][-1] is None


def test_joined_queries():
    query, gallery = random_set(40, 1), random_set(60, 2)
    found = verify(query, gallery, multi_query="identity", fars=(0.1,))
    by_hand = verify(join_queries(query, "identity"), gallery, same_camera="exclude", fars=(0.1,))
    assert found.per_repeat == by_hand.per_repeat
    assert found.to_dict()["multi_query"] == "identity"


def test_mistakes_are_told():
    data = random_set(10, 1)
    for rates in ((), (0.0,), (1.0,), (-0.1, 0.1)):
        with pytest.raises(EvaluationError, match="lie between 0 and 1"):
            verify(data, data, fars=rates)
    one = Embeddings.from_vectors(np.eye(3), ["a"] * 3)
    with pytest.raises(EvaluationError, match="at least two identities"):
        verify(one, one)
    with pytest.raises(EvaluationError, match="nothing can be verified"):
        verify(one.select([0]), Embeddings.from_vectors(np.eye(3), ["b"] * 3))
    with pytest.raises(EvaluationError, match="query set is empty"):
        verify(data.select([]), data)
    with pytest.raises(EvaluationError, match=r"FAR 0.2 was computed; there are 0.1"):
        verify(data, data, fars=(0.1,)).tar(0.2)


def test_order_of_floats():
    generator = torch.Generator().manual_seed(0)
    values = torch.cat(
        [torch.randn(3000, generator=generator) * 10.0**-power for power in range(0, 40, 3)]
        + [torch.tensor([0.0, -0.0, 1.0, -1.0, torch.inf, -torch.inf, 1e-45, -1e-45])]
    )
    keys = order_keys(values)
    order = values.sort(stable=True).indices
    assert bool((keys[order].long().diff() >= 0).all())
    assert torch.equal(from_keys(keys), values)
    assert keys[values == 0].unique().numel() == 1
    counts = bucket_counts(values)
    assert int(counts.sum()) == len(values) - 1
    filled = counts.nonzero()[:, 0]
    starts = bucket_starts(torch.stack([filled, filled + 1]))
    for bucket, low, high in zip(filled[::97], *starts[:, ::97], strict=True):
        inside = (values >= low) & (values < high)
        assert int(counts[bucket]) == int(inside.sum())
