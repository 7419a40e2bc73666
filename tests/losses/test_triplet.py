import math

import pytest
import torch

from promptreid.losses.triplet import batch_hard_triplet


def naive(f, y, margin):
    losses = []
    for a in range(len(f)):
        positives = [float((f[a] - f[p]).norm()) for p in range(len(f)) if y[p] == y[a]]
        negatives = [float((f[a] - f[n]).norm()) for n in range(len(f)) if y[n] != y[a]]
        if not negatives:
            continue
        x = max(positives) - min(negatives)
        losses.append(math.log1p(math.exp(x)) if margin is None else max(0.0, x + margin))
    return sum(losses) / max(len(losses), 1)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("margin", [0.3, None])
def test_equals_loops_with_uneven_identities(seed, margin):
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 5, (11,), generator=g)
    features = torch.randn(11, 7, generator=g)
    got = batch_hard_triplet(features, labels, margin=margin).item()
    assert got == pytest.approx(naive(features, labels, margin), abs=1e-4)


def test_one_identity_gives_zero_and_finite_gradient():
    features = torch.randn(4, 3, requires_grad=True)
    loss = batch_hard_triplet(features, torch.zeros(4, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(features.grad).all()


def test_identical_images_have_finite_gradient():
    features = torch.ones(4, 3, requires_grad=True)
    batch_hard_triplet(features, torch.tensor([0, 0, 1, 1])).backward()
    assert torch.isfinite(features.grad).all()


def test_is_float32_for_bfloat16_features():
    loss = batch_hard_triplet(torch.randn(4, 8).bfloat16(), torch.tensor([0, 0, 1, 1]))
    assert loss.dtype == torch.float32
