"""What a plan decides before anything is read."""

import pytest

from promptreid.errors import ConfigError
from promptreid.models.towers.product_choice import TORCH
from promptreid.processor import Processor
from promptreid.training.run import run_plan
from promptreid.training.run.run_plan import TrainRequest, make_plan


def plan(tmp_path, *overrides):
    request = TrainRequest(
        recipe="clip-reid/demo",
        overrides=overrides,
        data=("folder:photos",),
        out=tmp_path / "run",
        device="cpu",
    )
    return make_plan(request)[0]


@pytest.mark.parametrize("setting", ["auto", "torch"])
def test_who_multiplies_follows_the_recipe_and_the_processor(tmp_path, monkeypatch, setting):
    if setting == "auto":
        monkeypatch.setattr(
            run_plan, "describe_processor", lambda: Processor("x86_64", vendor="GenuineIntel")
        )
    assert plan(tmp_path, f"hardware.products={setting}").products == TORCH


def test_an_unknown_library_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(ConfigError, match=r"hardware\.products.*auto.*torch.*onednn"):
        plan(tmp_path, "hardware.products=mkl")
