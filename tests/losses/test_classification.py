from types import SimpleNamespace

import pytest
import torch

from promptreid.losses.classification import (
    identity_cross_entropy,
    image_text_logits,
    mixed_cross_entropy,
)
from promptreid.losses.margins import cosface_logits


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


def cross_entropy(logits, label, smoothing):
    target = torch.full_like(logits, smoothing / len(logits))
    target[label] += 1 - smoothing
    return -float((target * logits.double().log_softmax(0)).sum())


@pytest.mark.parametrize("margin", [0.0, 0.35])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_mixed_images_learn_both_labels_in_their_shares(margin, smoothing):
    g = torch.Generator().manual_seed(3)
    scores, labels = torch.rand(7, 4, generator=g), torch.randint(0, 4, (7,), generator=g)
    partner, weight = torch.randint(0, 4, (7,), generator=g), torch.rand(7, generator=g)
    weight[:2], partner[:2] = 1, labels[:2]
    got = mixed_cross_entropy(
        lambda y: cosface_logits(scores, y, margin=margin, scale=5.0),
        labels,
        mix=SimpleNamespace(partner=partner, weight=weight),
        smoothing=smoothing,
    )
    expected = 0.0
    for i in range(7):
        for label, share in ((labels[i], weight[i]), (partner[i], 1 - weight[i])):
            logits = 5 * scores[i].double()
            logits[label] -= 5 * margin
            expected += float(share) * cross_entropy(logits, label, smoothing) / 7
    assert got.item() == pytest.approx(expected, rel=1e-5)


def test_without_a_mix_it_is_the_plain_cross_entropy():
    logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    plain = identity_cross_entropy(logits, labels)
    assert torch.equal(mixed_cross_entropy(lambda _: logits, labels, mix=None), plain)


@pytest.mark.parametrize("normalize", [False, True])
def test_text_logits_of_each_image_are_those_of_its_own_texts(normalize):
    g = torch.Generator().manual_seed(4)
    images, texts = torch.randn(3, 5, generator=g), torch.randn(3, 4, 5, generator=g)
    options = {"temperature": 0.5, "normalize": normalize}
    got = image_text_logits(images, texts, **options)
    for i in range(3):
        alone = image_text_logits(images[i : i + 1], texts[i], **options)
        assert torch.allclose(got[i], alone[0], rtol=1e-5)
        for c in range(4):
            a, b = images[i].double(), texts[i, c].double()
            dot = a @ b / (a.norm() * b.norm() if normalize else 1)
            assert got[i, c].item() == pytest.approx(float(dot) / 0.5, rel=1e-4, abs=1e-6)
