"""Settings given as keywords and dicts, and mistakes found before anything is imported."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from facts import lacking

from promptreid.actions.train_settings import check_training, list_settings, list_specs
from promptreid.config.recipes import load_recipe
from promptreid.data.load_data import load_data
from promptreid.errors import ConfigError

NOTHING = {
    "data": (), "test": (), "out": None, "resume": False, "overwrite": False, "track": (),
    "note": None,
}  # fmt: skip


def test_values_of_python_reach_the_recipe_as_they_are():
    overrides = {
        "stages.image.epochs": np.int64(3),
        "stages.image.optimizer.lr": 1e-5,
        "backbone.image_size": (64, 32),
        "backbone.name": "tiny",
        "prompt.template": "{context} a photo",
        "start.checkpoint": Path("runs/first"),
        "stages.image.losses.triplet": None,
        "evaluation.flip": True,
    }
    recipe = load_recipe("clip-reid", list_settings("clip-reid", overrides, {}))
    image = recipe.stages[-1]
    assert (image.epochs, image.optimizer.lr) == (3, 1e-5)
    assert recipe.backbone.image_size == (64, 32)
    assert recipe.backbone.name == "tiny"
    assert recipe.prompt.template == ("{context} a photo",)
    assert Path(recipe.start.checkpoint) == Path("runs/first")
    assert image.losses.triplet is None
    assert recipe.evaluation.flip


def test_a_short_name_stands_for_the_only_key_that_ends_so():
    settings = {"epochs": 2, "precision": "fp32", "note": None}
    texts = list_settings("finetune-ce", None, {k: v for k, v in settings.items() if k != "note"})
    recipe = load_recipe("finetune-ce", texts)
    assert recipe.stages[0].epochs == 2
    assert recipe.hardware.precision == "fp32"


def test_a_short_name_of_several_keys_is_refused_with_all_of_them():
    with pytest.raises(ConfigError) as caught:
        list_settings("clip-reid", None, {"epochs": 2})
    message = str(caught.value)
    assert not lacking(message, "epochs", "stages.image.epochs", "overrides=", "stages.")
    assert "stages.prompts.epochs" in message


def test_an_unknown_short_name_gets_the_closest():
    with pytest.raises(ConfigError) as caught:
        list_settings("finetune-ce", None, {"wieght_decay": 2})
    assert not lacking(str(caught.value), "finetune-ce", "wieght_decay", "weight_decay")


def test_a_value_that_no_recipe_holds_is_refused():
    with pytest.raises(ConfigError) as caught:
        list_settings("finetune-ce", {"stages.image.epochs": object()}, {})
    assert not lacking(str(caught.value), "stages.image.epochs", "object", "number")


def test_a_run_that_goes_on_takes_full_keys_and_hardware():
    assert list_settings(None, None, {"accumulate": 2}) == ("hardware.accumulate=2",)
    with pytest.raises(ConfigError) as caught:
        list_settings(None, None, {"epochs": 2})
    assert not lacking(str(caught.value), "epochs", "overrides=")


def test_a_data_set_stands_for_its_spec_unless_it_was_changed(crops):
    data = load_data(f"folder:{crops}")
    assert list_specs([data, "csv:x"]) == (data.spec, "csv:x")
    from dataclasses import replace

    changed = replace(data, manifest=data.manifest.select(range(10)), protocol=None)
    with pytest.raises(ConfigError) as caught:
        list_specs(changed, argument="test")
    assert not lacking(str(caught.value), data.spec, "test='csv:FILE'")
    with pytest.raises(ConfigError) as caught:
        list_specs(replace(data, spec=""))
    assert not lacking(str(caught.value), data.manifest.name, "data='csv:FILE'")


@pytest.mark.parametrize(
    ("given", "facts"),
    [
        ({"resume": True, "overwrite": True}, ["--resume", "--overwrite"]),
        ({"resume": True}, ["--resume", "--out"]),
        ({}, ["RECIPE"]),
        ({"recipe": "clip-reid"}, ["--data"]),
        ({"recipe": "folder:photos"}, ["folder:photos", "data set", "RECIPE"]),
    ],
)
def test_mistakes_are_sentences(given, facts):
    recipe = given.pop("recipe", None)
    with pytest.raises(ConfigError) as caught:
        check_training(recipe, (), **{**NOTHING, **given})
    assert not lacking(str(caught.value), *facts)


def test_checking_loads_no_torch():
    code = "import sys, promptreid.actions.train_settings; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
