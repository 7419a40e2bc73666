import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from loss_batches import batches, few, mean, unit
from pytorch_metric_learning.losses import SupConLoss

from promptreid.losses.contrastive import clip_contrast, supcon, supcon_cross_modal


def naive(a, o, ya, yo, t):
    total = 0.0
    for i in range(len(a)):
        scores = [float(a[i] @ o[j]) / t for j in range(len(o))]
        peak = max(scores)
        log_z = peak + math.log(sum(math.exp(s - peak) for s in scores))
        positives = [scores[j] - log_z for j in range(len(o)) if yo[j] == ya[i]]
        total += -sum(positives) / len(positives)
    return total / len(a)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("temperature", [1.0, 0.07])
def test_equals_double_loop(seed, temperature):
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (9,), generator=g)  # identities with one image occur
    a, o = torch.randn(9, 6, generator=g), torch.randn(9, 6, generator=g)
    got = supcon_cross_modal(a, o, labels, labels, temperature=temperature)
    assert got.item() == pytest.approx(naive(a, o, labels, labels, temperature), rel=1e-5)


def test_keeps_the_cross_modal_diagonal():
    a = torch.eye(3, requires_grad=True)
    loss = supcon_cross_modal(a, torch.eye(3), torch.arange(3), torch.arange(3))
    expected = -math.log(math.e / (math.e + 2))
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_is_float32_for_bfloat16_features():
    a = torch.randn(4, 8).bfloat16()
    loss = supcon_cross_modal(a, a, torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 1]))
    assert loss.dtype == torch.float32


def test_normalize_uses_cosines():
    g = torch.Generator().manual_seed(0)
    a, o, y = torch.randn(5, 4, generator=g), torch.randn(5, 4, generator=g), torch.arange(5)
    scaled = supcon_cross_modal(7 * a, 3 * o, y, y, normalize=True)
    assert scaled.item() == pytest.approx(supcon_cross_modal(a, o, y, y, normalize=True).item())


def naive_supcon(f, y, t):
    u, losses, rows = unit(f), [], range(len(f))
    for i in rows:
        total = sum(math.exp(float(u[i] @ u[a]) / t) for a in rows if a != i)
        logs = [float(u[i] @ u[p]) / t - math.log(total) for p in rows if p != i and y[p] == y[i]]
        if logs:
            losses.append(-mean(logs))
    return mean(losses)


@few
@given(batches, st.sampled_from([0.05, 0.1, 1.0]))
def test_supcon_equals_loops(batch, temperature):
    got = supcon(*batch, temperature=temperature).item()
    assert got == pytest.approx(naive_supcon(*batch, temperature), rel=1e-4, abs=1e-5)


@few
@given(batches)
def test_supcon_agrees_with_pytorch_metric_learning(batch):
    features, labels = batch
    assume(len(labels.unique()) > 1)  # it returns zero for one identity
    theirs = SupConLoss(temperature=0.1)(features, labels).item()
    assert supcon(features, labels, temperature=0.1).item() == pytest.approx(
        theirs, rel=1e-4, abs=1e-5
    )


def test_images_alone_in_their_identity_are_negatives_but_not_anchors():
    f = torch.eye(4)[[0, 0, 1]]
    y = torch.tensor([0, 0, 1])
    expected = -math.log(math.exp(10) / (math.exp(10) + 1))
    assert supcon(f, y, temperature=0.1).item() == pytest.approx(expected, rel=1e-2)
    assert supcon(f, torch.arange(3)).item() == 0


@few
@given(st.integers(1, 7), st.integers(0, 1000))
def test_clip_equals_loops(count, seed):
    g = torch.Generator().manual_seed(seed)
    a, b = torch.randn(count, 4, generator=g), torch.randn(count, 4, generator=g)
    scores = (unit(a) @ unit(b).T / 0.07).tolist()
    losses = []
    for i in range(count):
        for line in (scores[i], [row[i] for row in scores]):
            losses.append(math.log(sum(math.exp(s) for s in line)) - scores[i][i])
    assert clip_contrast(a, b).item() == pytest.approx(mean(losses), rel=1e-4, abs=1e-5)
