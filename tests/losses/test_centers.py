import pytest
import torch
from hypothesis import given
from loss_batches import batches, few
from torch import nn

from promptreid.config.losses import CenterOptions
from promptreid.losses.centers import CenterState, center_loss, move_centers
from promptreid.losses.loss_state import StateSetting

MODEL = nn.Identity()  # nothing of the model is read


def state_of(width=5, classes=8, lr=0.5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    setting = StateSetting({"final": width}, classes, MODEL, generator)
    return CenterState(CenterOptions(lr=lr), setting)


def moved_by_hand(centers, features, labels, lr):
    new = centers.double().clone()
    for j in range(len(centers)):
        own = [f.double() for f, y in zip(features, labels, strict=True) if y == j]
        new[j] -= lr * sum((centers[j].double() - f for f in own), torch.zeros(1)) / (1 + len(own))
    return new.float()


@few
@given(batches)
def test_loss_is_half_the_mean_square(batch):
    features, labels = batch
    centers = state_of().centers["final"]
    expected = sum(
        float((f.double() - centers[y].double()).norm()) ** 2 / 2
        for f, y in zip(features, labels, strict=True)
    ) / len(labels)
    assert center_loss(features, labels, centers).item() == pytest.approx(expected, rel=1e-5)


@few
@given(batches)
def test_centers_move_by_the_published_rule(batch):
    state = state_of()
    before = state.centers["final"].detach().clone()
    state.loss("final", *batch)
    assert torch.equal(state.centers["final"], before)  # not before the step
    state.after_step(MODEL)
    expected = moved_by_hand(before, *batch, 0.5)
    assert torch.allclose(state.centers["final"], expected, atol=1e-5)


def test_micro_batches_count_as_one_batch():
    g = torch.Generator().manual_seed(1)
    features, labels = torch.randn(6, 5, generator=g), torch.tensor([0, 0, 1, 0, 1, 3])
    whole, parts = state_of(), state_of()
    whole.loss("final", features, labels)
    for rows in (slice(0, 2), slice(2, 6)):
        parts.loss("final", features[rows], labels[rows])
    whole.after_step(MODEL)
    parts.after_step(MODEL)
    assert torch.allclose(whole.centers["final"], parts.centers["final"], atol=1e-6)


def test_a_step_without_new_batches_moves_nothing():
    state = state_of()
    state.loss("final", torch.randn(3, 5), torch.tensor([0, 1, 1]))
    state.after_step(MODEL)
    before = state.centers["final"].clone()
    state.after_step(MODEL)
    assert torch.equal(state.centers["final"], before)


def test_nothing_is_noted_in_eval_mode():
    state = state_of().eval()
    before = state.centers["final"].clone()
    state.loss("final", torch.randn(3, 5), torch.tensor([0, 1, 1]))
    state.after_step(MODEL)
    assert torch.equal(state.centers["final"], before)


def test_centers_reach_the_mean_of_their_images():
    features = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([2, 2, 2, 2])
    state = state_of()
    untouched = state.centers["final"][0].clone()
    for _ in range(60):
        state.loss("final", features, labels)
        state.after_step(MODEL)
    assert torch.allclose(state.centers["final"][2], features.mean(0), atol=1e-4)
    assert torch.equal(state.centers["final"][0], untouched)


def test_no_optimizer_or_gradient_reaches_the_centers():
    state = state_of()
    features = torch.randn(3, 5, requires_grad=True)
    state.loss("final", features, torch.tensor([0, 1, 1])).backward()
    assert [p for p in state.parameters() if p.requires_grad] == []
    assert state.centers["final"].grad is None
    expected = (features - state.centers["final"][[0, 1, 1]]).detach() / 3
    assert torch.allclose(features.grad, expected, atol=1e-6)


def test_first_centers_follow_the_generator():
    assert torch.equal(state_of(seed=1).centers["final"], state_of(seed=1).centers["final"])
    assert not torch.equal(state_of(seed=1).centers["final"], state_of(seed=2).centers["final"])


def test_half_precision_features_move_float32_centers():
    centers = torch.zeros(2, 3)
    state = state_of(width=3, classes=2)
    state.centers["final"].data.zero_()
    features = torch.tensor([[0.1, 0.2, 0.3]]).bfloat16()
    assert state.loss("final", features, torch.tensor([1])).dtype == torch.float32
    state.after_step(MODEL)
    move_centers(centers, features.float(), torch.tensor([1]), lr=0.5)
    assert torch.equal(state.centers["final"], centers)
    assert torch.allclose(centers[1], features[0].float() / 4)
