from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from promptreid.errors import ConfigError, RunError
from promptreid.training.stage.ema import WeightAverage


class Masked(nn.Module):
    """Parameters, running statistics, a counter and a mask with infinities."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.linear = nn.Linear(5, 4)
        self.frozen = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("mask", torch.full((3, 3), float("-inf")).triu(1), persistent=False)
        self.register_buffer("positions", torch.arange(4).expand(2, 4))
        for parameter in self.parameters():
            parameter.data.normal_(generator=generator)
        self.frozen.requires_grad_(False)


def train(model, steps, average=None, seed=1):
    """Make steps of any kind and return the weights after each."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01)
    seen = []
    for _ in range(steps):
        batch, wanted = (torch.randn(6, size, generator=generator) for size in (5, 4))
        optimizer.zero_grad()
        (model.norm(model.frozen(model.linear(batch))) - wanted).square().sum().backward()
        optimizer.step()
        if average is not None:
            average.update()
        seen.append(state(model))
    return seen


def state(model):
    named = dict(model.named_parameters()) | dict(model.named_buffers())
    return {name: value.detach().clone() for name, value in named.items()}


@pytest.fixture
def model():
    return Masked().train()


def same(first, second):
    assert set(first) == set(second)
    return all(torch.equal(first[name], second[name]) for name in first)


def test_average_equals_the_recursion(model):
    start, decay = state(model), 0.9
    average = WeightAverage(model, decay)
    seen = train(model, 120, average)
    expected = {name: value.double() for name, value in start.items()}
    warmed = 0
    for number, weights in enumerate(seen):
        now = min(decay, (1 + number) / (10 + number))
        warmed += now < decay
        for name, value in weights.items():
            mixed = now * expected[name] + (1 - now) * value.double()
            expected[name] = torch.where(expected[name] == value, expected[name], mixed)
    assert 0 < warmed < 120
    with average.applied():
        for name, value in state(model).items():
            if value.is_floating_point():
                torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-6)
        assert not torch.equal(model.linear.weight, seen[-1]["linear.weight"])
        assert not torch.equal(model.norm.running_var, seen[-1]["norm.running_var"])


def test_first_updates_follow_quickly(model):
    average = WeightAverage(model, 0.999)
    before = model.linear.bias.detach().clone()
    with torch.no_grad():
        model.linear.bias += 1
    average.update()
    with average.applied():
        torch.testing.assert_close(model.linear.bias.detach(), before + 0.9)


def test_weights_come_back_to_the_bit(model):
    average = WeightAverage(model, 0.9)
    weights = train(model, 5, average)[-1]
    addresses = {name: p.data_ptr() for name, p in model.named_parameters()}
    with average.applied():
        assert not same(state(model), weights)
    assert same(state(model), weights)
    with pytest.raises(KeyError), average.applied():
        raise KeyError
    assert same(state(model), weights)
    assert addresses == {name: p.data_ptr() for name, p in model.named_parameters()}


def test_a_look_at_the_averages_does_not_change_training():
    plain, looked = Masked().train(), Masked().train()
    first, second = WeightAverage(plain, 0.9), WeightAverage(looked, 0.9)
    train(plain, 4, first)
    train(plain, 4, first, seed=2)
    train(looked, 4, second)
    with second.applied():
        pass
    train(looked, 4, second, seed=2)
    assert same(state(plain), state(looked))
    assert same(first.tensors(), second.tensors())


def test_frozen_parameters_masks_and_counters_stay_the_models_own(model):
    start = state(model)
    average = WeightAverage(model, 0.9)
    train(model, 30, average)
    with average.applied():
        now = state(model)
    assert torch.equal(now["frozen.weight"], start["frozen.weight"])
    assert torch.equal(now["mask"], start["mask"])
    assert torch.equal(now["positions"], start["positions"])
    assert now["norm.num_batches_tracked"] == 30
    assert "weights/frozen.weight" not in average.tensors()


def test_a_learning_parameter_that_does_not_move_stays_to_the_bit(model):
    start = state(model)
    average = WeightAverage(model, 0.99)
    for _ in range(200):
        average.update()
    with average.applied():
        assert same(state(model), start)


def test_round_trip_goes_on_the_same_way(model):
    average = WeightAverage(model, 0.95)
    train(model, 7, average)
    saved = average.tensors()
    twin = copy.deepcopy(model)
    resumed = WeightAverage(twin, 0.95)
    resumed.restore(saved)
    kept = {name: value.clone() for name, value in saved.items()}
    train(model, 6, average, seed=3)
    train(twin, 6, resumed, seed=3)
    assert same(average.tensors(), resumed.tensors())
    assert same(saved, kept)  # what was saved is a copy
    assert average.tensors()["updates"] == 13


def test_keep_puts_the_averages_in_for_good(model):
    average = WeightAverage(model, 0.9)
    train(model, 5, average)
    with average.applied():
        expected = state(model)
    average.keep()
    assert same(state(model), expected)


def test_half_precision_weights_have_a_float32_average():
    model = nn.Linear(3, 2).to(torch.bfloat16)
    average = WeightAverage(model, 0.9)
    average.update()
    assert average.tensors()["weights/weight"].dtype == torch.float32
    weights = model.weight.detach().clone()
    with average.applied():
        assert model.weight.dtype == torch.bfloat16
        assert torch.equal(model.weight, weights)


def test_misuse_while_the_averages_are_in(model):
    average = WeightAverage(model, 0.9)
    with average.applied():
        with pytest.raises(RuntimeError, match="nothing new"):
            average.update()
        with pytest.raises(RuntimeError, match="already"):
            average.keep()
        with pytest.raises(RuntimeError, match="already"), average.applied():
            pass
    average.update()


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2.0])
def test_wrong_decay(model, decay):
    with pytest.raises(ConfigError, match="at least 0 and below 1"):
        WeightAverage(model, decay)


def test_tensors_of_another_model_are_refused(model):
    average = WeightAverage(model, 0.9)
    before = average.tensors()
    missing = {name: value for name, value in before.items() if name != "weights/linear.bias"}
    misshapen = before | {"weights/linear.bias": torch.zeros(9)}
    for wrong, name in (
        (missing, "linear.bias"),
        (before | {"weights/more": torch.zeros(2)}, "more"),
        (misshapen, "linear.bias"),
        ({name: value for name, value in before.items() if name != "updates"}, "updates"),
    ):
        with pytest.raises(RunError, match=name):
            average.restore(wrong)
    assert same(average.tensors(), before)
