import math

import pytest
import torch

from promptreid.losses.contrastive import supcon_cross_modal


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
