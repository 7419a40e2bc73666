import itertools
import math

import pytest
import torch

from promptreid.errors import EvaluationError
from promptreid.figures.layouts.identity_spread import class_spread


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
