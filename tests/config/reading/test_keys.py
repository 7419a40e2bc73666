"""A key that does not exist leads to the one that is meant."""

import pytest

from promptreid.config.reading.keys import annotation_at, known_keys, meaning
from promptreid.config.reading.synonyms import ELSEWHERE, KEYS, RECIPES
from promptreid.config.recipes import load_recipe, recipe_names
from promptreid.config.schema import Recipe
from promptreid.errors import ConfigError
from promptreid.text.suggest import plain

TREE = {
    "stages": [
        {"name": "prompts", "learns": ["prompt"], "batch": {"size": 64}, "losses": {"i2t": 1}},
        {"name": "image", "batch": {"identities": 8, "images": 4},
         "losses": {"id": 1, "triplet": {"weight": 1}}},
    ]
}  # fmt: skip
USED, ALL = known_keys(Recipe, TREE)


def problem(*overrides, recipe="clip-reid"):
    with pytest.raises(ConfigError) as caught:
        load_recipe(recipe, overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("epochs=2", "stages.image.epochs"), ("epoch=2", "stages.image.epochs"),
        ("lr=1e-3", "stages.image.optimizer.lr"), ("optimizer.lr=1", "stages.image.optimizer.lr"),
        ("learning_rate=1", "stages.image.optimizer.lr"),
        ("BASE_LR=1", "stages.image.optimizer.lr"),
        ("stages.image.lr=1", "stages.image.optimizer.lr"),
        ("stages.prompts.lr=1", "stages.prompts.optimizer.lr"),
        ("model=x", "backbone.name"), ("arch=x", "backbone.name"),
        ("clip_model=x", "backbone.name"),
        ("freeze_prompt=true", "stages.image.learns"), ("n_ctx=4", "prompt.context_tokens"),
        ("ctx_init=a", "prompt.init"), ("prompt_template=a", "prompt.template"),
        ("batch_size=8", "stages.image.batch.identities"),
        ("batch_size=8", "stages.prompts.batch.size"),
        ("NUM_INSTANCE=4", "stages.image.batch.images"),
        ("weight_decay=1", "stages.image.optimizer.weight_decay"),
        ("margin=1", "stages.image.losses.triplet.margin"), ("triplet=1", "losses.triplet.weight"),
        ("label_smoothing=.1", "losses.id.smoothing"), ("image_size=1", "backbone.image_size"),
        ("HCP=1", "prompt.shared_tokens"), ("SGA=1", "tuning.adapter"), ("BNNeck=1", "head.kind"),
        ("CAM-ID=1", "sie.camera"), ("SIE=1", "sie.camera"), ("OLP=1", "backbone.stride"),
        ("VPT=1", "tuning.visual_prompt.tokens"), ("MoCo=1", "losses.moco.size"),
        ("patience=3", "validation.patience"), ("eval_period=3", "validation.every"),
        ("clip_grad_norm=1", "clip_norm"), ("mixup=1", "augment.mix.mixup"),
        ("random_erasing=1", "augment.erase"), ("rerank=true", "evaluation.rerank"),
        ("fp16=true", "hardware.precision"), ("ema=.9", "stages.image.ema"),
        ("unfreeze_blocks=3", "stages.image.blocks"),
        ("STAGE2.MAX_EPOCHS=1", "stages.image.epochs"),
        ("bakbone.nme=x", "backbone.name"), ("prompt.contxt_tokens=1", "context_tokens"),
        ("backbone=RN50", "backbone.name"), ("stages.image.optimizer=adam", "optimizer.name"),
    ],
)  # fmt: skip
def test_the_key_that_is_meant(override, key):
    told = problem(override)
    assert "Did you mean" in told
    assert key in told
    assert len(told) < 220


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("dataset=x", "give --data NAME:ROOT"), ("data_dir=x", "--data"), ("seed=1", "--seed N"),
        ("output_dir=x", "--out FOLDER"), ("device=cuda", "--device"), ("gpu=0", "--device"),
        ("num_workers=4", "nothing to set"), ("wandb=true", "--track"), ("resume=x", "--resume"),
        ("num_classes=5", "counted in the data"), ("aspect=x", "an option of the data set"),
        ("xyzzy=1", "`promptreid recipes show NAME` prints all keys"),
        ("stages.image.batch.xyzzy=1", "Known keys here: size, identities, images."),
        ("stages.imag.epochs=1", "it has prompts, image. Did you mean 'image'?"),
        ("backbone=3", "Its keys are name, pretrained"),
    ],
)  # fmt: skip
def test_what_is_no_key_leads_somewhere_else(override, told):
    assert told in problem(override)


def test_one_unknown_key_does_not_print_all():
    assert "validation" not in problem("xyzzy=1")
    assert len(problem("xyzzy=1").splitlines()) == 2


def test_keys_and_values_that_are_wrong_are_all_told_at_once():
    text = problem(
        "epohs=2", "lr=1", "backbone.name=ViT-B-17", "stages.image.epochs=ten", "noequals",
        "stages.nowhere.epochs=1", "stages.image.batch={", "hardware.precision=fp8",
    )  # fmt: skip
    assert "has 8 problems" in text
    for key in ("epohs", "lr", "backbone.name", "stages.image.epochs", "noequals", "stages has",
                "stages.image.batch", "hardware.precision"):  # fmt: skip
        assert key in text


def test_keys_of_a_file_are_answered_alike(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: clip-reid\nlr: 1e-3\nbackbone: {model: x}\n")
    text = problem(recipe=str(tmp_path / "a.yaml"))
    assert "lr: unknown key. Did you mean 'stages.image.optimizer.lr'" in text
    assert "backbone.model: unknown key. Did you mean 'backbone.name'?" in text


@pytest.mark.parametrize("word", sorted(KEYS))
def test_every_word_leads_to_keys_that_exist(word):
    assert word == plain(word)
    for end in KEYS[word]:
        assert any(key == end or key.endswith(f".{end}") for key in ALL), end
    assert meaning([word], Recipe, TREE).startswith(" Did you mean")


@pytest.mark.parametrize("word", sorted(ELSEWHERE))
def test_every_other_word_is_answered(word):
    assert word == plain(word)
    assert word not in KEYS
    assert meaning([word], Recipe, TREE) == f" {ELSEWHERE[word]}"


def test_every_word_for_a_recipe_leads_to_one_that_exists():
    assert {name for names in RECIPES.values() for name in names} <= set(recipe_names())
    assert all(word == plain(word) for word in RECIPES)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("hcp", "mta-clip"), ("BNNeck", "clip-reid"), ("clipreid", "clip-reid"),
     ("CoOp", "prompt-learning"),
     ("promptsg", "prompt-sg"), ("vpt", "finetune-ce/vpt"), ("zeroshot", "zero-shot"),
     ("SIE-OLP", "clip-reid-sie-olp"), ("hand_clip", "hand-clip")],
)  # fmt: skip
def test_unknown_recipes_lead_to_the_closest_and_not_to_all(name, meant):
    told = problem(recipe=name)
    assert f"'{meant}'" in told
    assert told.endswith("`promptreid recipes` lists all.")
    assert len(told) < 200


def test_types_of_keys():
    assert annotation_at(Recipe, ["stages", "any", "epochs"]) is not None
    assert annotation_at(Recipe, ["zero_shot", "attributes", "aspect"]) is not None
    assert annotation_at(Recipe, ["preprocess", "normalize", "mean"]) is not None
    assert annotation_at(Recipe, ["tuning", "lora", "rank"]) is not None
    for path in (["x"], ["backbone", "x"], ["name", "x"], ["stages", "a", "x"], [""]):
        assert annotation_at(Recipe, path) is None
    assert "stages.image.losses.triplet.margin" in USED
    assert "tuning.lora.rank" not in USED
    assert "tuning.lora.rank" in ALL


def test_a_slip_in_a_short_name_is_answered_with_whole_keys() -> None:
    for slip in ("epocs=2", "stages.image.epoch=2"):
        with pytest.raises(ConfigError, match=r"Did you mean 'stages\.image\.epochs'"):
            load_recipe("clip-reid/tiny", [slip])
