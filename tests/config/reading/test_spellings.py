"""Values of earlier scripts are read as the ones of today, and that is said."""

import pytest

from promptreid.config.reading.spellings import backbone_name, backbone_names, spelled
from promptreid.config.recipes import dump_recipe, load_recipe, resolve_recipe
from promptreid.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "now"),
    [
        ("vitb16", "ViT-B-16"), ("ViT-B/16", "ViT-B-16"), ("vit_b_16", "ViT-B-16"),
        ("vitb32", "ViT-B-32"), ("ViT-L/14", "ViT-L-14"), ("ViT-L/14@336px", "ViT-L-14-336"),
        ("rn50", "RN50"), ("RN50", "RN50"), ("rn101", "RN101"), ("rn50x4", "RN50x4"),
        ("rn50x16", "RN50x16"), ("rn50x64", "RN50x64"), ("Tiny", "tiny"), ("tiny", "tiny"),
    ],
)  # fmt: skip
def test_backbones(name, now):
    recipe, notes = resolve_recipe("clip-reid", [f"backbone.name={name}"])
    assert recipe.backbone.name == now
    assert f"name: {now}\n" in dump_recipe(recipe)
    told = (f"backbone.name: {name!r} is recorded as {now!r}.",)
    assert notes == (() if name == now else told)


def test_unknown_backbones_show_the_closest():
    with pytest.raises(ConfigError, match=r"backbone.name: .*'ViT-B-17'. Did you mean 'ViT-B-16'"):
        load_recipe("clip-reid", ["backbone.name=ViT-B-17"])
    with pytest.raises(ValueError, match="no backbone"):
        backbone_name("resnet18")
    assert len(backbone_names()) > 50


@pytest.mark.parametrize(
    ("override", "value", "now"),
    [
        ("stage_mode=prompt_only", "prompt_only", "prompts_only"),
        ("stage_mode=prompt_then_image", "prompt_then_image", "prompts_then_image"),
        ("stage_mode=Prompts-Only", "Prompts-Only", "prompts_only"),
        ("stages.image.optimizer.name=AdamW", "AdamW", "adamw"),
        ("stages.image.optimizer.name=SGD", "SGD", "sgd"),
        ("stages.image.schedule.name=step", "step", "multistep"),
        ("stages.image.schedule.name=OneCycle", "OneCycle", "onecycle"),
        ("head.kind=BNNeck", "BNNeck", "bnneck"),
        ("hardware.precision=FP32", "FP32", "fp32"),
    ],
)
def test_words(override, value, now):
    recipe, notes = resolve_recipe("clip-reid", [override])
    key = override.partition("=")[0]
    assert notes == (f"{key}: {value!r} is recorded as {now!r}.",)
    assert f": {now}\n" in dump_recipe(recipe)


def test_words_in_lists_and_files(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: clip-reid\nbackbone: {name: rn50}\n")
    recipe, notes = resolve_recipe(str(tmp_path / "a.yaml"), ["stages.image.learns=[Image, Head]"])
    assert recipe.stages[1].learns == ("image", "head")
    assert notes == (
        "backbone.name: 'rn50' is recorded as 'RN50'.",
        "stages.image.learns.0: 'Image' is recorded as 'image'.",
        "stages.image.learns.1: 'Head' is recorded as 'head'.",
    )


def test_what_stands_for_two_words_stays():
    assert spelled("A-B", ["ab", "a_b"]) == "A-B"
    assert spelled("a_b", ["ab", "a_b"]) == "a_b"
    assert spelled("x", ["ab"]) == "x"


def test_packaged_recipes_need_no_note():
    assert resolve_recipe("clip-reid")[1] == ()
