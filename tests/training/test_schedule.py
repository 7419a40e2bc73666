import math
from pathlib import Path

import numpy as np
import pytest

from promptreid.config.optimize import ScheduleConfig
from promptreid.config.recipes import load_recipe
from promptreid.errors import ConfigError
from promptreid.training.schedule import learning_rate

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "clip_reid.npz")


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


@pytest.mark.parametrize("epoch", [0, 7])
def test_epoch_outside_the_stage(epoch):
    with pytest.raises(ConfigError, match=r"outside 1\.\.6"):
        learning_rate(ScheduleConfig(), 1.0, epoch=epoch, epochs=6)
