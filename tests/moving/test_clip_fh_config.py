"""Configurations of CLIP-FH become the nearest recipes, and every key is told once."""

from pathlib import Path

import pytest
import yaml
from facts import lacking

from promptreid.errors import ConfigError
from promptreid.moving.import_config import import_config
from promptreid.moving.translation import Translation

SHARED = {"dataset": "11k", "aspect": "dorsal_r", "num_workers": 4, "batch_size": 32}
JOINT = SHARED | {
    "variant": "clipid", "model": "rn50", "n_ctx": 12, "stage_mode": "prompt_then_image",
    "prompt_template": "A photo of {}'s {aspect} hand.", "epochs_prompt": 30, "epochs_image": 30,
    "lr": "1e-5", "lr_prompt": 1e-4, "lr_visual": "7e-5", "lr_text": 5e-6,
    "weight_decay_prompt": 5e-4, "weight_decay_visual": 5e-4, "weight_decay_text": 5e-4,
    "unfreeze_blocks": 4, "freeze_text_encoder": True, "loss_use_triplet": True,
    "loss_use_center": True, "center_loss_weight": 3e-4, "loss_list": ["supcon"],
    "early_stop_patience": 5, "use_arcface": True, "ctx_init": None, "output_dir": "logs/",
}  # fmt: skip
GUIDED = SHARED | {
    "variant": "promptsg", "model": "vitb16", "clip_model": "vitb16", "classifier": "arcface",
    "bnneck_reduction": True, "bnneck_dim": 256, "transformer_layers": 3, "epochs": 20,
    "supcon_loss_weight": 0, "loss_id_weight": 0.2, "loss_tri_weight": 1.0,
    "lr_clip_visual": 2e-6, "lr_modules": 2e-6, "weight_decay": 5e-4, "attention_heads": 8,
    "prompt_template": "A captured frame showing a persons {aspect} hand.",
}  # fmt: skip


def translated(tmp_path: Path, values: dict, **changes: object) -> Translation:
    file = tmp_path / "old.yml"
    kept = {key: value for key, value in (values | changes).items() if value is not ...}
    file.write_text(yaml.safe_dump(kept))
    return import_config(file)


def refusal(tmp_path: Path, values: dict, **changes: object) -> str:
    with pytest.raises(ConfigError) as caught:
        translated(tmp_path, values, **changes)
    return str(caught.value)


def test_joint_training_becomes_hand_clip(tmp_path: Path) -> None:
    got = translated(tmp_path, JOINT)
    assert got.recipe == "hand-clip"
    assert got.data == "hands11k:datasets/11khands?aspect=dorsal_right"
    recipe = got.load()
    assert recipe.backbone.name == "RN50"
    assert recipe.prompt.template == ("A photo of {context}'s {aspect} hand.",)
    prompts, image = recipe.stages
    assert (prompts.batch.size, prompts.epochs, prompts.optimizer.name) == (32, 30, "adamw")
    assert (prompts.optimizer.lr, prompts.optimizer.weight_decay) == (1e-4, 5e-4)
    assert (image.blocks, image.optimizer.lr, image.optimizer.weight_decay) == (4, 7e-5, 5e-4)
    assert (image.batch.identities, image.batch.images) == (8, 4)
    assert image.losses.center is not None
    assert (image.losses.center.weight, image.losses.center.lr) == (3e-4, 0.5)


def test_switches_of_losses_and_whole_towers(tmp_path: Path) -> None:
    got = translated(
        tmp_path, JOINT, model="vitb16", unfreeze_blocks=12, loss_use_triplet=False,
        loss_use_center=False, loss_use_supcon=False,
    )  # fmt: skip
    image = got.load().stages[-1]
    assert image.blocks is None
    weights = {name: term.weight for name, term in image.losses.active().items()}
    assert weights == {"id": 1}


def test_absent_keys_have_the_originals_defaults(tmp_path: Path) -> None:
    absent = dict.fromkeys(("epochs_image", "lr_visual", "loss_use_triplet"), ...)
    image = translated(tmp_path, JOINT, **absent).load().stages[-1]
    assert (image.epochs, image.optimizer.lr) == (20, 1e-5)
    assert "triplet" not in image.losses.active()


@pytest.mark.parametrize(
    ("mode", "stages"), [("prompt_only", ["prompts"]), ("image_only", ["image"])]
)
def test_modes_run_one_stage(tmp_path: Path, mode: str, stages: list[str]) -> None:
    got = translated(tmp_path, JOINT, stage_mode=mode)
    recipe = got.load()
    assert [stage.name for stage in recipe.stages] == stages
    assert (recipe.start.checkpoint == "RUN") == (mode == "image_only")
    check_all_told(got, JOINT)


def test_prompt_sg_becomes_the_nearest_version(tmp_path: Path) -> None:
    got = translated(tmp_path, GUIDED)
    assert got.recipe == "prompt-sg/hand-v8"
    recipe = got.load()
    image = recipe.stages[-1]
    assert recipe.interaction.blocks == 3
    assert recipe.head.reduction is not None
    assert recipe.head.reduction.width == 256
    assert image.losses.arcface is not None
    assert image.losses.arcface.weight == 0.2
    assert set(image.losses.active()) == {"arcface", "triplet"}
    assert image.optimizer.part_lr_factors == {"prompt": 1, "interaction": 1, "head": 1}
    assert (image.optimizer.lr, image.optimizer.weight_decay) == (2e-6, 5e-4)
    assert image.clip_norm is None
    assert "{context} {aspect} hand" in recipe.prompt.template[0]
    assert not lacking(got.command(), "stages.image.clip_norm=null", "?aspect=dorsal_right")


def test_prompt_sg_without_a_neck_and_with_contrast(tmp_path: Path) -> None:
    got = translated(
        tmp_path, GUIDED, classifier="linear", bnneck_reduction=False, supcon_loss_weight=0.5,
        clip_model="rn50", lr_modules=1e-5, early_stop_patience=7,
    )  # fmt: skip
    recipe = got.load()
    image = recipe.stages[-1]
    assert recipe.backbone.name == "RN50"
    assert recipe.head.kind == "linear"
    assert set(image.losses.active()) == {"id", "triplet", "supcon_i2t", "supcon_t2i"}
    assert image.losses.supcon_i2t is not None
    assert (image.losses.supcon_i2t.weight, image.losses.supcon_i2t.ramp) == (0.5, 20)
    assert image.optimizer.part_lr_factors["interaction"] == 5
    assert recipe.validation.patience == 7


@pytest.mark.parametrize(
    ("changes", "recipe"),
    [
        ({"variant": "baseline"}, "zero-shot"),
        ({"variant": "stage1_frozen_text", "epochs": 10, "lr": 1e-5}, "finetune-ce"),
        (
            {"variant": "stage2_loss_ce_triplet", "epochs": 9, "lr": 1e-4,
             "loss": ["cross_entropy", "triplet"]},
            "finetune-losses/ce-triplet",
        ),
        (
            {"variant": "stage2_loss_x", "epochs": 9, "lr": 1e-4,
             "loss": ["cross_entropy", "center"]},
            "finetune-losses/ce-triplet-center",
        ),
        (
            {"variant": "stage2_loss_x", "epochs": 9, "lr": 1e-4,
             "loss": ["cross_entropy", "arcface", "center"]},
            "finetune-losses/ce-triplet-arcface",
        ),
        (
            {"variant": "finetuned", "epochs": 9, "lr": 1e-4, "n_ctx": 8, "prompt_ckpt": "a.pth"},
            "prompt-guided",
        ),
    ],
)  # fmt: skip
def test_other_variants(tmp_path: Path, changes: dict, recipe: str) -> None:
    values = SHARED | {"model": "vitb16"} | changes
    got = translated(tmp_path, values)
    assert got.recipe == recipe
    stages = got.load().stages
    if stages:
        assert (stages[-1].epochs, stages[-1].optimizer.lr) == (changes["epochs"], changes["lr"])
    check_all_told(got, values)


def check_all_told(got: Translation, values: dict) -> None:
    """Every key of a file is told once, with what it became or why it became nothing."""
    told = [note.key for note in (*got.exact, *got.changed, *got.dropped)]
    told = [key for key in told if key != "its code"]
    assert sorted(told) == sorted(values)
    assert all(note.became for note in got.exact)
    assert all(note.reason for note in (*got.changed, *got.dropped))


@pytest.mark.parametrize("values", [JOINT, GUIDED])
def test_every_key_is_told_once_and_never_said_to_be_equal(tmp_path: Path, values: dict) -> None:
    got = translated(tmp_path, values)
    check_all_told(got, values)
    said = " ".join(f"{note.value} {note.became}" for note in got.changed)
    assert not lacking(said, "not normalised", "preprocess.normalize=native", "test images")


def test_data_and_repeats(tmp_path: Path) -> None:
    values = SHARED | {"model": "vitb16", "variant": "baseline"}
    assert translated(tmp_path, values, aspect="palmar_l", num_splits=5).data == (
        "hands11k:datasets/11khands?aspect=palmar_left&repeats=5"
    )
    assert translated(tmp_path, values, dataset="hd", aspect=...).data == (
        "hd_hands:datasets/HD/Original Images"
    )


def test_what_has_no_equal_is_refused_all_at_once(tmp_path: Path) -> None:
    words = refusal(tmp_path, JOINT, model_path="best.pth", lr_visul=1, model="vit")
    assert not lacking(words, "lr_visul", "lr_visual", "best.pth", "pickle", "evaluate RUN")
    words = refusal(
        tmp_path, JOINT, model="vit", aspect="left", unfreeze_blocks=..., batch_size=4, n_ctx=...
    )
    assert not lacking(words, "aspect is 'left'", "model is 'vit'", "vitb16", "n_ctx is missing")
    assert not lacking(words, "batch_size is 4", "unfreeze_blocks is 0", "default")
    words = refusal(tmp_path, GUIDED, classifier="cosine", weight_decay=...)
    assert "weight_decay is missing" in words
    assert "'x'" in refusal(tmp_path, SHARED | {"model": "rn50"}, variant="x")
    assert "stage_mode is 'both'" in refusal(tmp_path, JOINT, stage_mode="both")
    assert "classifier is 'cosine'" in refusal(tmp_path, GUIDED, classifier="cosine")
    assert "dataset is 'market'" in refusal(tmp_path, GUIDED, dataset="market")


@pytest.mark.parametrize(
    ("values", "key", "value"),
    [
        (JOINT, "lr_prompt", "fast"),
        (JOINT, "center_lr", None),
        (JOINT, "stage_mode", ["prompt_only"]),
        (JOINT | {"variant": "stage2_loss_ce", "epochs": 3}, "loss", 5),
        (GUIDED, "lr_modules", "fast"),
        (GUIDED, "lr_clip_visual", [1]),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_key(tmp_path, values, key, value):
    assert not lacking(refusal(tmp_path, values, **{key: value}), key)
