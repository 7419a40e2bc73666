from __future__ import annotations

import pytest

from promptreid.config.recipe_settings import YES, changes, differing, flat_settings, parents
from promptreid.config.recipes import load_recipe
from promptreid.config.sweep import override_text


def flat(*overrides, recipe="clip-reid"):
    return flat_settings(load_recipe(recipe, overrides))


def test_stages_and_losses_go_by_name():
    found = flat("stages.image.optimizer.lr=0.5", "stages.image.losses.triplet.margin=0.7")
    assert found["stages.image.optimizer.lr"] == 0.5
    assert found["stages.image.losses.triplet"] == 1.0
    assert found["stages.image.losses.triplet.margin"] == 0.7
    assert found["stages.prompts"] == YES
    assert "name" not in found
    assert "stages.image.losses.arcface" not in found


@pytest.mark.parametrize(
    "name", ["clip-reid", "finetune-losses/pcb", "hand-clip", "zero-shot/hand"]
)
def test_what_a_table_shows_can_be_typed(name):
    """Keys are overrides; a part that may be absent is set by its options or its weight."""
    found = flat(recipe=name)
    within = {part for key in found for part in parents(key)}
    texts = [
        override_text(key, value)
        for key, value in found.items()
        if key not in within and value != YES
    ]
    assert len(texts) > 30
    assert flat(*texts, recipe=name) == found


@pytest.mark.parametrize(
    ("overrides", "keys"),
    [
        (["stages.image.optimizer.lr=0.5"], ["stages.image.optimizer.lr"]),
        (["stages.image.losses.arcface=0.5"], ["stages.image.losses.arcface"]),
        (["stages.image.losses.triplet=0"], ["stages.image.losses.triplet"]),
        (["stages.image.losses.triplet.weight=2"], ["stages.image.losses.triplet"]),
        (["stages.image.losses.triplet.margin=null"], ["stages.image.losses.triplet.margin"]),
        (["tuning.lora={rank: 4}"], ["tuning.lora"]),
        (["preprocess.normalize={mean: [0, 0, 0], std: [1, 1, 1]}"], ["preprocess.normalize"]),
        (["stage_mode=prompts_only"], ["stage_mode", "stages.image"]),
        (["stages.image.optimizer.part_lr_factors={head: 15}"],
         ["stages.image.optimizer.part_lr_factors"]),
        (["stages.image.clip_norm=5"], ["stages.image.clip_norm"]),
        (["description=other words", "source=elsewhere"], []),
    ],
)  # fmt: skip
def test_one_change_is_one_difference(overrides, keys):
    found = set(differing([flat(), flat(*overrides)]))
    # A prompt stage of its own needs no head, and so on: nothing else may differ.
    assert found == set(keys)


def test_options_within_a_part_count_among_those_that_have_it():
    with_options = [
        flat("stages.image.losses.arcface.margin=0.3"),
        flat("stages.image.losses.arcface.margin=0.5"),
    ]
    arcface = "stages.image.losses.arcface"
    assert differing([flat(), *with_options]) == [arcface, f"{arcface}.margin"]
    soft = "stages.image.losses.triplet.margin"
    found = differing([flat(f"{soft}=null"), flat(), flat("stages.image.losses.triplet=0")])
    assert found == ["stages.image.losses.triplet", soft]


def test_settings_keep_their_place_in_the_recipe():
    plain, more = flat(), flat("stages.image.losses.arcface=0.5", "stages.image.epochs=1")
    for settings in ([plain, more], [more, plain]):
        assert differing(settings) == ["stages.image.losses.arcface", "stages.image.epochs"]


def test_changes_give_both_values():
    before = load_recipe("clip-reid")
    after = load_recipe("clip-reid", ["stages.image.epochs=3", "stages.image.losses.arcface=0.5"])
    found = changes(before, after)
    assert found["stages.image.epochs"] == (60, 3)
    assert found["stages.image.losses.arcface"] == (None, 0.5)
    assert changes(before, before) == {}
