import pytest
import torch

from promptreid.losses.classification import identity_cross_entropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_the_smoothed_target_formula(smoothing):
    g = torch.Generator().manual_seed(1)
    logits, labels = torch.randn(6, 5, generator=g), torch.randint(0, 5, (6,), generator=g)
    target = torch.full((6, 5), smoothing / 5)
    target[torch.arange(6), labels] += 1 - smoothing
    expected = -(target * logits.log_softmax(1)).sum(1).mean()
    got = identity_cross_entropy(logits, labels, smoothing=smoothing)
    assert got.item() == pytest.approx(expected.item(), rel=1e-6)


def test_is_float32_for_bfloat16_logits():
    loss = identity_cross_entropy(torch.randn(3, 4).bfloat16(), torch.tensor([0, 1, 2]))
    assert loss.dtype == torch.float32
