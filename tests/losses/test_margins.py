import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_batches import batches, few, unit
from pytorch_metric_learning.losses import ArcFaceLoss, CircleLoss, CosFaceLoss
from torch.nn import functional as F

from promptreid.errors import ConfigError
from promptreid.losses.distances import cosines
from promptreid.losses.margins import arcface_logits, circle_logits, cosface_logits

CLASSES = 5
LOGITS = (arcface_logits, cosface_logits, circle_logits)


def naive_arcface(c, m, s):
    theta = math.acos(max(-1.0, min(1.0, c)))
    return s * (math.cos(theta + m) if theta <= math.pi - m else c - m * math.sin(m))


def naive_cosface(c, m, s):
    return s * (c - m)


def naive_circle(c, m, s):
    return s * max(0.0, 1 + m - c) * (c - (1 - m))


NAIVE = {
    arcface_logits: naive_arcface,
    cosface_logits: naive_cosface,
    circle_logits: naive_circle,
}


@few
@given(
    st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4),
    st.integers(0, 3),
    st.floats(0, 1),
    st.sampled_from(LOGITS),
)
def test_each_logit_equals_its_formula(values, label, margin, function):
    got = function(torch.tensor([values]), torch.tensor([label]), margin=margin, scale=16.0)[0]
    for j, c in enumerate(values):
        if j == label:
            expected = NAIVE[function](c, margin, 16.0)
        elif function is circle_logits:
            expected = 16.0 * max(0.0, c + margin) * (c - margin)
        else:
            expected = 16.0 * c
        assert got[j].item() == pytest.approx(expected, abs=2e-4)


@few
@given(batches, st.integers(0, 1000))
def test_agrees_with_pytorch_metric_learning(batch, seed):
    features, labels = batch
    weights = torch.randn(CLASSES, 5, generator=torch.Generator().manual_seed(seed))
    c = cosines(features, weights)
    for ours, theirs in (
        (
            arcface_logits(c, labels, margin=0.5, scale=20),
            ArcFaceLoss(CLASSES, 5, margin=math.degrees(0.5), scale=20),
        ),
        (
            cosface_logits(c, labels, margin=0.35, scale=20),
            CosFaceLoss(CLASSES, 5, margin=0.35, scale=20),
        ),
    ):
        theirs.W.data = weights.T.clone()
        expected = theirs(features, labels).item()
        assert F.cross_entropy(ours, labels).item() == pytest.approx(expected, rel=1e-4, abs=1e-4)


@few
@given(batches, st.integers(0, 1000))
def test_circle_classifier_is_the_circle_loss_of_image_and_class_pairs(batch, seed):
    features, labels = batch
    weights = torch.randn(CLASSES, 5, generator=torch.Generator().manual_seed(seed))
    logits = circle_logits(cosines(features, weights), labels, margin=0.25, scale=8)
    expected = CircleLoss(m=0.25, gamma=8)(
        features, labels, ref_emb=weights, ref_labels=torch.arange(CLASSES)
    )
    assert F.cross_entropy(logits, labels).item() == pytest.approx(
        expected.item(), rel=1e-4, abs=1e-5
    )


def test_arcface_falls_steadily_with_the_angle():
    angles = torch.linspace(0, math.pi, 2000)
    c = torch.stack([angles.cos(), torch.zeros(2000)], dim=1)
    target = arcface_logits(c, torch.zeros(2000, dtype=torch.long), margin=0.5, scale=1.0)[:, 0]
    assert (target.diff() < 1e-6).all()


def test_arcface_has_gradient_in_features_and_weights():
    g = torch.Generator().manual_seed(0)
    features = torch.randn(6, 5, generator=g, requires_grad=True)
    weights = torch.randn(CLASSES, 5, generator=g, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    F.cross_entropy(arcface_logits(cosines(features, weights), labels), labels).backward()
    assert (features.grad.norm(dim=1) > 1e-4).all()
    assert (weights.grad.norm(dim=1) > 1e-4).all()


def test_arcface_gradient_equals_that_through_the_angle():
    c = torch.linspace(-0.99, 0.99, 50, dtype=torch.float64).float().requires_grad_()
    labels = torch.zeros(50, dtype=torch.long)
    arcface_logits(c[:, None], labels, margin=0.5, scale=1.0).sum().backward()
    theta = c.detach().double().acos()
    through_angle = (theta + 0.5).sin() / theta.sin()
    expected = torch.where(theta <= math.pi - 0.5, through_angle, 1.0)
    assert torch.allclose(c.grad.double(), expected, rtol=1e-4)


@pytest.mark.parametrize("function", LOGITS)
@pytest.mark.parametrize("value", [1.0, -1.0, 1.0000001, -1.0000001, 0.99999994])
def test_gradient_is_finite_at_the_ends(function, value):
    c = torch.tensor([[value, 0.3]], requires_grad=True)
    logits = function(c, torch.tensor([0]))
    F.cross_entropy(logits, torch.tensor([0])).backward()
    assert torch.isfinite(logits).all()
    assert torch.isfinite(c.grad).all()


@pytest.mark.parametrize("function", LOGITS)
def test_half_precision_cosines_give_float32_logits(function):
    c = torch.tensor([[1.0, -1.0, 0.5]]).bfloat16().requires_grad_()
    logits = function(c, torch.tensor([0]))
    logits.sum().backward()
    assert logits.dtype == torch.float32
    assert torch.isfinite(c.grad).all()


def test_a_margin_in_degrees_is_refused_in_words():
    with pytest.raises(ConfigError, match=r"radians.*28\.6.*0\.499"):
        arcface_logits(torch.zeros(1, 2), torch.tensor([0]), margin=28.6)


def test_a_larger_margin_asks_for_a_smaller_angle():
    c = cosines(torch.tensor([[1.0, 0.2]]), torch.eye(2))
    label = torch.tensor([0])
    for function in (arcface_logits, cosface_logits):
        losses = [
            F.cross_entropy(function(c, label, margin=m, scale=5.0), label) for m in (0.0, 0.3, 0.6)
        ]
        assert losses[0] < losses[1] < losses[2]


def test_circle_weights_get_no_gradient():
    c = torch.tensor([[0.4, 0.2]], requires_grad=True)
    circle_logits(c, torch.tensor([0]), margin=0.25, scale=10.0).sum().backward()
    expected = [10 * (1.25 - 0.4), 10 * (0.2 + 0.25)]
    assert c.grad[0].tolist() == pytest.approx(expected)


def test_cosines_are_those_of_unit_vectors():
    a, b = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0], [-3.0, -4.0]])
    assert cosines(a, b)[0].tolist() == pytest.approx((unit(a) @ unit(b).T)[0].tolist())
