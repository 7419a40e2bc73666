import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from promptreid.config.recipes import (
    FOLDER,
    dump_recipe,
    list_recipes,
    load_recipe,
    recipe_names,
    recipe_text,
    validate,
)
from promptreid.errors import ConfigError


def problems(*overrides, recipe="clip-reid"):
    with pytest.raises(ConfigError) as caught:
        load_recipe(recipe, overrides)
    return str(caught.value)


def test_every_yaml_of_the_package_is_listed_and_resolves():
    files = [file for file in FOLDER.rglob("*.yaml") if "sweeps" not in file.parts]
    assert len(files) >= 11
    assert len(recipe_names()) == len(files)
    for info in list_recipes():
        recipe = load_recipe(info.name)
        assert recipe.name == info.name
        assert info.description.endswith(".")
        assert info.source


@pytest.mark.parametrize("name", recipe_names())
def test_resolved_text_reads_back_to_the_same_recipe(name):
    recipe = load_recipe(
        name, ["stages.image.losses.triplet.margin=null"] if "clip" in name else []
    )
    assert validate(yaml.safe_load(dump_recipe(recipe)), where="text") == recipe


# The configuration matrix of the published code: epochs, base rate, decay, warm-up factor,
# milestones, weights of id, triplet and i2t, smoothing, prompt epochs and batch, image size.
PUBLISHED = {
    "clip-reid": (60, 5e-6, 1e-4, 0.1, (30, 50), (0.25, 1, 1), 0.1, 120, 64, (256, 128)),
    "clip-reid/cnn": (120, 3.5e-4, 5e-4, 0.01, (40, 70), (1, 1, 1), 0.1, 60, 64, (256, 128)),
    "clip-reid/vehicle": (60, 5e-6, 1e-4, 0.1, (30, 50), (0.25, 1, 1), 0.1, 60, 64, (256, 256)),
    "clip-reid/vehicle-cnn": (
        120,
        3.5e-4,
        5e-4,
        0.01,
        (40, 70),
        (1, 1, 1),
        0.1,
        60,
        64,
        (256, 256),
    ),
    "clip-reid/vehicleid": (60, 5e-5, 1e-4, 0.1, (30, 50), (0.25, 1, 1), 0.1, 60, 256, (256, 256)),
    "clip-reid/vehicleid-cnn": (
        120,
        3.5e-4,
        5e-4,
        0.01,
        (40, 70),
        (1, 1, 1),
        0.0,
        60,
        256,
        (256, 256),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_settings(name):
    recipe = load_recipe(name)
    prompts, image = recipe.stages
    terms = image.losses.active()
    assert (
        image.epochs,
        image.optimizer.lr,
        image.optimizer.weight_decay,
        image.schedule.warmup_factor,
        image.schedule.milestones,
        tuple(terms[key].weight for key in ("id", "triplet", "i2t")),
        terms["id"].smoothing,
        prompts.epochs,
        prompts.batch.size,
        recipe.backbone.image_size,
    ) == PUBLISHED[name]
    assert terms["i2t"].smoothing == terms["id"].smoothing
    assert image.optimizer.bias_lr_factor == 2
    assert (image.batch.identities, image.batch.images) == (16, 4)
    assert (prompts.optimizer.lr, prompts.schedule.warmup_lr, prompts.schedule.lr_min) == (
        3.5e-4,
        1e-5,
        1e-6,
    )


def test_sie_olp_has_stride_12_and_cameras():
    recipe = load_recipe("clip-reid-sie-olp")
    assert (recipe.backbone.stride, recipe.sie.camera, recipe.sie.coefficient) == (12, True, 1.0)


def test_overrides_reach_stages_by_name():
    recipe = load_recipe("clip-reid", ["stages.image.epochs=2", "backbone.name=RN50"])
    assert recipe.stages[1].epochs == 2
    assert recipe.backbone.name == "RN50"
    assert recipe.stages[0].epochs == 120


def test_a_weight_keeps_its_options_and_an_option_its_weight():
    recipe = load_recipe(
        "clip-reid/vehicleid-cnn",
        ["stages.image.losses.id=0.5", "stages.image.losses.i2t.weight=2"],
    )
    terms = recipe.stages[1].losses.active()
    assert (terms["id"].weight, terms["id"].smoothing) == (0.5, 0.0)
    assert (terms["i2t"].weight, terms["i2t"].smoothing) == (2, 0.0)
    smoothed = load_recipe("clip-reid", ["stages.image.losses.id.smoothing=0.2"])
    assert smoothed.stages[1].losses.id.weight == 0.25


def test_zero_switches_a_loss_off():
    recipe = load_recipe("clip-reid", ["stages.image.losses.i2t=0"])
    assert set(recipe.stages[1].losses.active()) == {"id", "triplet"}


def test_all_problems_at_once_with_dotted_keys_and_closest_names():
    text = problems(
        "stages.image.epoch=2",
        "bakbone.name=x",
        "stages.image.epochs=ten",
        "stages.image.losses.id.smoothng=3",
        "stages.image.losses.tripet=1",
        "stages.image.optimizer.name=adm",
    )
    assert "6 problems" in text
    assert "stages.image.epoch: unknown key. Did you mean 'stages.image.epochs'?" in text
    assert "bakbone.name: unknown key. Did you mean 'backbone.name'?" in text
    assert "stages.image.epochs: expected a whole number, got 'ten'" in text
    losses = "stages.image.losses"
    assert f"{losses}.id.smoothng: unknown key. Did you mean '{losses}.id.smoothing'?" in text
    assert f"{losses}.tripet: unknown key. Did you mean '{losses}.triplet'?" in text
    assert "stages.image.optimizer.name: got 'adm'; allowed: 'adam', 'adamw' or 'sgd'" in text


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("stages.imgae.epochs=2", "has no item named 'imgae'; it has prompts, image"),
        ("stages.image.epochs", "not of the form key=value"),
        ("prompt.kind=none", "needs a prompt"),
        ("head.kind=none", "needs a head"),
        ("stages.image.batch.size=3", "give either size, or identities and images"),
        ("stages.image.images=cached", "frozen image tower"),
        ("backbone=3", "expected a mapping, got 3"),
        ("stages.image.batch.images=1", "greater than or equal to 2"),
        ("stages.image.losses={id: 0}", "at least one loss needs a weight above zero"),
        ("stages.image.batch={", "not valid YAML"),
        ("backbone.name={", "there is no backbone named '{'"),
    ],
)
def test_one_problem(override, words):
    assert words in problems(override)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["optimizer.lr=1e-6"], "down to schedule.lr_min, 1e-06, which is not below it"),
        (["optimizer.lr=1e-7"], "goes from optimizer.lr, 1e-07"),
        (["optimizer.lr=5e-6"], "from schedule.warmup_lr, 1e-05, to optimizer.lr, 5e-06"),
    ],
)
def test_a_cosine_that_does_not_fall_is_refused(overrides, words):
    assert words in problems(*(f"stages.prompts.{text}" for text in overrides))
    # Without the schedule the rate is as good as any other.
    constant = [*overrides, "schedule={name: constant, warmup_lr: null, warmup_epochs: 0}"]
    recipe = load_recipe("clip-reid", [f"stages.prompts.{text}" for text in constant])
    assert recipe.stages[0].schedule.name == "constant"


def test_unknown_recipe_names_the_closest():
    assert "Did you mean 'clip-reid'" in problems(recipe="clipreid")


def test_own_file_extends_a_recipe_and_a_file_beside_it(tmp_path):
    (tmp_path / "base.yaml").write_text("extends: clip-reid/hand\nbackbone: {image_size: 96}\n")
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nstages: [{name: image, epochs: 3}]\n")
    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    assert recipe.name == "mine"
    assert recipe.backbone.image_size == (96, 96)
    assert [stage.epochs for stage in recipe.stages] == [60, 3]
    assert "hand" in recipe.prompt.template[0]


def test_circle_of_recipes(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(ConfigError, match=r"circle: a -> b -> a"):
        load_recipe(str(tmp_path / "a.yaml"))


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [1\n", ""])
def test_file_that_is_no_recipe(tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        load_recipe(str(tmp_path / "bad.yaml"))


def test_a_package_behind_a_link_calls_its_recipes_the_same(tmp_path):
    (tmp_path / "linked").symlink_to(FOLDER.parents[1])
    code = "from promptreid.config import recipes; print(recipes.load_recipe('clip-reid/cnn').name)"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "linked")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "clip-reid/cnn"


def test_recipe_text_is_the_file():
    assert recipe_text("clip-reid") == (FOLDER / "clip-reid.yaml").read_text()
    assert Path(FOLDER / "clip-reid.yaml").is_file()


def test_a_weight_rises_over_its_ramp():
    from promptreid.config.losses import TripletOptions

    term = TripletOptions(weight=2.0, ramp=4)
    assert [term.weight_at(epoch) for epoch in (1, 2, 3, 4, 5)] == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert TripletOptions(weight=2.0).weight_at(1) == 2.0
