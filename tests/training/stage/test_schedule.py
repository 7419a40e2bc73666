import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from promptreid.config.optimize import ScheduleConfig
from promptreid.config.recipes import load_recipe
from promptreid.errors import ConfigError
from promptreid.training.stage.schedule import learning_rate

GOLDEN = np.load(Path(__file__).parents[2] / "golden" / "clip_reid.npz")


def trace(schedule, base, epochs):
    return [learning_rate(schedule, base, epoch=e, epochs=epochs) for e in range(1, epochs + 1)]


@pytest.mark.parametrize(("stage", "key"), [(0, "stage1_vit"), (1, "stage2_vit")])
def test_golden_traces(stage, key):
    config = load_recipe("clip-reid").stages[stage]
    got = trace(config.schedule, config.optimizer.lr, config.epochs)
    np.testing.assert_allclose(got, GOLDEN[f"schedule/{key}"], rtol=0, atol=1e-12)


def test_resnet_rates_as_published():
    config = load_recipe("clip-reid/cnn").stages[1]
    got = trace(config.schedule, config.optimizer.lr, config.epochs)
    assert got[0] == pytest.approx(3.815e-5)
    assert got[9] == got[38] == pytest.approx(3.5e-4)
    assert got[39] == got[68] == pytest.approx(3.5e-5)
    assert got[69] == got[119] == pytest.approx(3.5e-6)


def test_cosine_formula_without_warm_up():
    schedule = ScheduleConfig(name="cosine", lr_min=0.1)
    got = trace(schedule, 1.0, 8)
    assert got == pytest.approx([0.1 + 0.45 * (1 + math.cos(math.pi * e / 8)) for e in range(1, 9)])


def test_constant_with_warm_up():
    schedule = ScheduleConfig(name="constant", warmup_epochs=4, warmup_factor=0.2)
    assert trace(schedule, 1.0, 6) == pytest.approx([0.4, 0.6, 0.8, 1, 1, 1])


def step_trace(schedule, base, epochs, steps):
    """Rates of all steps; `steps` is one number or one for each epoch."""
    counts = [steps] * epochs if isinstance(steps, int) else steps
    return [
        learning_rate(schedule, base, epoch=e, epochs=epochs, step=s, steps=count)
        for e, count in enumerate(counts, start=1)
        for s in range(count)
    ]


KINDS = [
    ScheduleConfig(name="cosine", lr_min=1e-6, warmup_epochs=3, warmup_lr=1e-5),
    ScheduleConfig(
        name="multistep", milestones=(4, 7), gamma=0.2, warmup_epochs=3, warmup_factor=0.1
    ),
    ScheduleConfig(name="constant", warmup_epochs=2, warmup_factor=0.5),
    ScheduleConfig(name="constant"),
    ScheduleConfig(name="onecycle"),
]


@pytest.mark.parametrize("schedule", KINDS)
def test_per_epoch_is_constant_within_an_epoch(schedule):
    rates = np.reshape(step_trace(schedule, 0.01, 9, 5), (9, 5))
    np.testing.assert_array_equal(rates, np.repeat(rates[:, :1], 5, axis=1))
    assert rates[:, 0].tolist() == trace(schedule, 0.01, 9)


@pytest.mark.parametrize("schedule", KINDS[:4])
def test_per_step_ends_each_epoch_at_its_rate(schedule):
    rates = np.reshape(step_trace(schedule.model_copy(update={"per": "step"}), 0.01, 9, 5), (9, 5))
    assert rates[:, -1].tolist() == trace(schedule, 0.01, 9)


def test_cosine_per_step_is_its_formula():
    schedule = ScheduleConfig(
        name="cosine", per="step", lr_min=0.01, warmup_epochs=2, warmup_lr=0.001
    )
    got = step_trace(schedule, 0.1, 6, [4, 5, 4, 3, 4, 4])
    clocks = [e + (s + 1) / n for e, n in enumerate([4, 5, 4, 3, 4, 4]) for s in range(n)]
    expected = [
        0.001 + t * 0.099 / 2 if t < 2 else 0.01 + 0.045 * (1 + math.cos(math.pi * t / 6))
        for t in clocks
    ]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-15)
    assert got[-1] == 0.01
    # It falls once from the end of the warm-up: the clock runs through the stage, not the epoch.
    assert all(a > b for a, b in pairwise(got[8:]))


def test_multistep_per_step_is_its_formula():
    schedule = ScheduleConfig(
        name="multistep", per="step", milestones=(3, 5), warmup_epochs=2, warmup_factor=0.2
    )
    got = np.reshape(step_trace(schedule, 1.0, 6, 4), (6, 4))
    # The epoch before the warm-up's end and its first three steps rise; milestones are epochs.
    rising = [0.2 + 0.8 * (i + 1) / 8 for i in range(8)]
    np.testing.assert_allclose(got[:2].ravel(), rising, rtol=0, atol=1e-15)
    np.testing.assert_allclose(got[2:], np.repeat([[0.1], [0.1], [0.01], [0.01]], 4, axis=1))


def torch_one_cycle(steps, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, total_steps=steps, **options)
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        if len(rates) < steps:
            schedule.step()
    return rates


@pytest.mark.parametrize(
    ("epochs", "steps", "rise"),
    [
        (*length, rise)
        for length in [(1, 2), (1, 7), (5, 4), (30, 28), (10, 1), (2, 1)]
        for rise in [0.1, 0.3, 0.75]
        if rise * math.prod(length) != 1  # where the rise has no length, torch divides by zero
    ],
)
def test_one_cycle_is_that_of_torch(epochs, steps, rise):
    options = {"start_divisor": 20.0, "end_divisor": 500.0}
    schedule = ScheduleConfig(name="onecycle", per="step", rise=rise, **options)
    got = step_trace(schedule, 3e-4, epochs, steps)
    expected = torch_one_cycle(
        epochs * steps, max_lr=3e-4, pct_start=rise, div_factor=20.0, final_div_factor=500.0
    )
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_one_cycle_per_epoch_and_defaults():
    got = trace(ScheduleConfig(name="onecycle"), 0.5, 12)
    np.testing.assert_allclose(got, torch_one_cycle(12, max_lr=0.5), rtol=0, atol=1e-12)


def test_one_cycle_of_changing_epochs_and_of_no_rise():
    schedule = ScheduleConfig(name="onecycle", per="step")
    got = step_trace(schedule, 1.0, 4, [9, 10, 11, 10])
    assert got[0] == pytest.approx(1 / 25)
    assert got[-1] == 1 / 25 / 1e4
    top = int(np.argmax(got))
    assert 0.99 < got[top] <= 1
    assert all(a < b for a, b in pairwise(got[: top + 1]))
    assert all(a > b for a, b in pairwise(got[top:]))
    starts_at_top = ScheduleConfig(name="onecycle", per="step", rise=0.25)
    assert step_trace(starts_at_top, 1.0, 1, 4)[0] == 1


@pytest.mark.parametrize(("step", "steps"), [(-1, 4), (4, 4), (0, 0)])
def test_step_outside_the_epoch(step, steps):
    with pytest.raises(ConfigError, match=r"outside 0\.\."):
        learning_rate(ScheduleConfig(), 1.0, epoch=1, epochs=2, step=step, steps=steps)


@pytest.mark.parametrize("epoch", [0, 7])
def test_epoch_outside_the_stage(epoch):
    with pytest.raises(ConfigError, match=r"outside 1\.\.6"):
        learning_rate(ScheduleConfig(), 1.0, epoch=epoch, epochs=6)
