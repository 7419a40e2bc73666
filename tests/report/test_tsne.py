import itertools
import math

import numpy as np
import pytest
import torch

from promptreid.errors import EvaluationError
from promptreid.report.tsne import class_spread, tsne_layout, turned_towards


def clusters(groups=4, images=6, noise=0.05, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(groups, 16, generator=generator).repeat_interleave(images, 0)
    rows = centres + noise * torch.randn(groups * images, 16, generator=generator)
    return torch.nn.functional.normalize(rows, dim=1), [n // images for n in range(len(rows))]


def test_spread_by_loops_over_pairs():
    vectors, groups = clusters()
    inside, between = [], []
    for i, j in itertools.combinations(range(len(groups)), 2):
        distance = math.dist(vectors[i].tolist(), vectors[j].tolist())
        (inside if groups[i] == groups[j] else between).append(distance)
    found = class_spread(vectors, groups)
    assert found.intra == pytest.approx(sum(inside) / len(inside), rel=1e-5)
    assert found.inter == pytest.approx(sum(between) / len(between), rel=1e-5)
    assert found.ratio == pytest.approx(found.intra / found.inter)


def test_spread_needs_pairs_of_both_kinds():
    vectors, groups = clusters()
    for wrong in ([0] * len(groups), list(range(len(groups)))):
        with pytest.raises(EvaluationError, match="two identities"):
            class_spread(vectors, wrong)


def test_layout_keeps_neighbours_and_repeats():
    vectors, groups = clusters()
    points = tsne_layout(vectors, seed=3)
    assert points.shape == (24, 2)
    assert np.abs(points.mean(0)).max() < 1e-9
    assert np.array_equal(points, tsne_layout(vectors, seed=3))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert [groups[n] for n in distances.argmin(1)] == groups


def test_layout_refuses_what_cannot_be_laid_out():
    vectors, _ = clusters()
    with pytest.raises(EvaluationError, match="5 images at least, got 4"):
        tsne_layout(vectors[:4])
    with pytest.raises(EvaluationError, match="between 0 and 24"):
        tsne_layout(vectors, perplexity=24)


@pytest.mark.parametrize("mirror", [1, -1])
def test_turning_undoes_a_rotation_and_a_reflection_and_keeps_distances(mirror):
    points = np.random.default_rng(0).normal(size=(9, 2))
    points -= points.mean(0)
    angle = 1.1
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = points @ turn * [mirror, 1]
    assert np.allclose(turned_towards(moved, points), points)
    other = np.random.default_rng(1).normal(size=(9, 2))
    turned = turned_towards(moved, other)
    assert np.allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(moved, axis=1))
    assert ((turned - other) ** 2).sum() <= ((moved - other) ** 2).sum()
