"""CLIP-FH's YAML files as recipes, key by key: always the nearest, never equal.

Its code trains without normalising pixels, with heads that no optimizer knows, and chooses
checkpoints on test images. A recipe here does none of it, and the translation says so each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from promptreid.moving.clip_fh_defaults import DEFAULTS, STAGE_MODES
from promptreid.moving.clip_fh_ledger import ClipFhLedger
from promptreid.moving.clip_fh_prompt_sg import read_prompt_sg
from promptreid.moving.translation import KeyNote, Translation, nearest_recipe
from promptreid.text.lists import listed

_LOSSES = ("cross_entropy", "triplet", "center", "arcface")


def translate_clip_fh(values: Mapping[str, Any]) -> Translation:
    """Say a configuration of CLIP-FH as the nearest recipe.

    Keys that the file leaves out have the original's defaults, not ours.

    Args:
        values: Keys of the file.

    Raises:
        ConfigError: Keys are unknown, or have values that have no equal here: all are named.
    """
    ledger = ClipFhLedger(values, {**DEFAULTS, **values})
    ledger.check_keys()
    data = ledger.read_data()
    ledger.read_backbone()
    variant = str(values.get("variant", ""))
    if values.get("model_path"):  # a configuration of an evaluation has nothing else to say
        ledger.refuse()
    read = _find_reading(variant)
    if read is None:
        words = listed([*_VARIANTS, "stage2_loss_*"], "or")
        ledger.refused.append(f"variant is {variant!r}; the original knows {words}.")
    recipes: Sequence[str] = () if read is None else read(ledger)
    ledger.refuse()
    if variant != "baseline":
        _say_what_its_code_does(ledger)
    recipe, settings = nearest_recipe(recipes, ledger.settings)
    ledger.exact.append(KeyNote("variant", variant, f"the recipe {recipe}"))
    translation = Translation(
        origin="CLIP-FH",
        recipe=recipe,
        settings=settings,
        data=data,
        seed=None,
        exact=tuple(ledger.exact),
        changed=tuple(ledger.changed),
        dropped=tuple(ledger.dropped),
    )
    translation.load()
    return translation


def _say_what_its_code_does(ledger: ClipFhLedger) -> None:
    """Tell what the original does whatever its file says, and a recipe here does not."""
    ledger.say_of_code(
        "feeds pixels that are not normalised",
        "preprocess.normalize=native",
        "CLIP was trained on normalised ones",
    )
    ledger.settings["backbone.image_size"] = [224, 224]
    ledger.say_of_code(
        "resizes to 224 x 224, and in its last version to 224 x 128 for training",
        "backbone.image_size=[224, 224]",
        "the size is in the code and not in the file; prompt-sg/hand-v11 has the other",
    )
    ledger.say_of_code(
        "keeps the epoch that is best on test images",
        "the epoch that is best on validation images",
        "test images choose nothing here",
    )
    ledger.say_of_code(
        "draws queries and galleries anew", "draws of the data SPEC", "its draws are not recorded"
    )


def _read_zero_shot(ledger: ClipFhLedger) -> tuple[str, ...]:
    ledger.drop("batch_size", "it decides nothing but speed; `evaluate --batch-size` sets it")
    ledger.drop("early_stop_patience", "nothing learns")
    return ("zero-shot",)


def _read_cross_entropy(ledger: ClipFhLedger) -> tuple[str, ...]:
    """Take over the first stage: cross-entropy with a linear classifier."""
    ledger.read_frozen_text()
    if ledger.need("epochs", "lr", "batch_size"):
        ledger.take("epochs", "stages.image.epochs")
        ledger.take("lr", "stages.image.optimizer.lr", float)
        ledger.take("batch_size", "stages.image.batch.size")
    if "loss" in ledger.told:
        ledger.expect("loss", "cross_entropy", ["cross_entropy"], because="its code has no other")
    ledger.read_patience()
    ledger.say_of_code(
        "trains tower and classifier at one rate",
        "stages.image.optimizer.part_lr_factors={head: 35}",
        "a new classifier learns little at the rate of a pretrained tower",
    )
    return ("finetune-ce",)


def _read_losses(ledger: ClipFhLedger) -> tuple[str, ...]:
    """Take over the variants of losses: cross-entropy, always with a triplet, and others."""
    ledger.read_frozen_text()
    if ledger.need("epochs", "lr", "batch_size", "loss"):
        ledger.take("epochs", "stages.image.epochs")
        ledger.take("lr", "stages.image.optimizer.lr", float)
        ledger.read_batch()
    ledger.read_patience()
    losses = ledger.all.get("loss", [])
    losses = list(map(str, losses if isinstance(losses, list) else [losses]))
    unknown = [name for name in losses if name not in _LOSSES]
    if unknown:
        ledger.refused.append(f"loss holds {listed(unknown)}; known are {listed(list(_LOSSES))}.")
    ledger.change(
        "loss",
        "a triplet is always added there, and a classifier that learns here",
        became=f"losses of the recipe: {listed(losses)}",
    )
    parts = ("arcface" if "arcface" in losses else "", "center" if "center" in losses else "")
    ending = "".join(f"-{part}" for part in parts if part)
    if parts[0] and parts[1]:
        ledger.settings["stages.image.losses.center"] = 5e-4
        ending = "-arcface"
    return (f"finetune-losses/ce-triplet{ending}",)


def _read_hand_clip(ledger: ClipFhLedger) -> tuple[str, ...]:
    """Take over the joint stages: prompts, then the image tower."""
    ledger.read_frozen_text()
    if str(ledger.all["stage_mode"]) not in STAGE_MODES:
        ledger.refused.append(
            f"stage_mode is {ledger.all['stage_mode']!r}; the original knows "
            f"{listed(list(STAGE_MODES))}."
        )
        return ()
    mode = ledger.take("stage_mode", "stage_mode", STAGE_MODES.get)
    if ledger.need("n_ctx"):
        ledger.take("n_ctx", "prompt.context_tokens")
    ledger.read_template()
    ledger.drop("lr", "it only names files there")
    ledger.drop("loss_list", "the terms are chosen by loss_use_*")
    for key in ("lr_text", "weight_decay_text"):
        ledger.change(key, "the text tower stays as it is here, and its config claims so, too",
                      became="frozen")  # fmt: skip
    ledger.drop("early_stop_patience", "it waits for the training loss there; all epochs run here")
    if mode == "image_only":
        ledger.settings |= {"start.checkpoint": "RUN", "start.parts": ["prompt"]}
        for key in ("epochs_prompt", "lr_prompt", "weight_decay_prompt"):
            ledger.drop(key, "that stage does not run")
    else:
        _read_prompt_stage(ledger)
    if mode == "prompts_only":
        for key in _OF_IMAGE_STAGE:
            ledger.drop(key, "that stage does not run")
    else:
        _read_image_stage(ledger)
    return ("hand-clip",)


_OF_IMAGE_STAGE = (
    *("epochs_image", "lr_visual", "weight_decay_visual", "unfreeze_blocks"),
    *("center_lr", "center_loss_weight", "loss_use_id", "loss_use_triplet", "loss_use_center"),
    "loss_use_supcon",
)


def _read_prompt_stage(ledger: ClipFhLedger) -> None:
    stage = "stages.prompts"
    ledger.take("epochs_prompt", f"{stage}.epochs")
    ledger.take("lr_prompt", f"{stage}.optimizer.lr", float)
    ledger.take("weight_decay_prompt", f"{stage}.optimizer.weight_decay", float)
    ledger.settings[f"{stage}.optimizer.name"] = "adamw"
    if ledger.all["stage_mode"] == "prompt_only" and ledger.need("batch_size"):
        ledger.take("batch_size", f"{stage}.batch.size")
    elif "batch_size" in ledger.all:  # the image stage tells what becomes of it
        ledger.settings[f"{stage}.batch.size"] = ledger.all["batch_size"]


def _read_image_stage(ledger: ClipFhLedger) -> None:
    stage, losses = "stages.image", "stages.image.losses"
    ledger.take("epochs_image", f"{stage}.epochs")
    ledger.take("lr_visual", f"{stage}.optimizer.lr", float)
    ledger.take("weight_decay_visual", f"{stage}.optimizer.weight_decay", float)
    ledger.settings[f"{stage}.optimizer.name"] = "adamw"
    ledger.read_batch()
    _read_blocks(ledger)
    ledger.take("loss_use_id", f"{losses}.id", _as_weight)
    ledger.take("loss_use_triplet", f"{losses}.triplet", _as_weight)
    ledger.take("loss_use_supcon", f"{losses}.supcon_i2t", _as_weight)
    ledger.settings[f"{losses}.supcon_t2i"] = _as_weight(ledger.all["loss_use_supcon"])
    if not ledger.all["loss_use_center"]:
        ledger.take("loss_use_center", f"{losses}.center", lambda _: 0)
        for key in ("center_lr", "center_loss_weight"):
            ledger.drop(key, "loss_use_center switches the term off")
    elif ledger.need("center_loss_weight"):
        reason = "centers never move there"
        weight, rate = map(ledger.read_number, ("center_loss_weight", "center_lr"))
        ledger.change("loss_use_center", reason, became=f"{losses}.center")
        ledger.change("center_loss_weight", reason, {f"{losses}.center.weight": weight})
        ledger.change("center_lr", reason, {f"{losses}.center.lr": rate})
    ledger.say_of_code(
        "gives classifier and neck to no optimizer",
        "stages.image.learns=[image, head]",
        "heads learn here",
    )
    ledger.say_of_code(
        "lowers rates by a cosine without a warm-up",
        "stages.prompts.schedule, stages.image.schedule",
        "the recipe warms up",
    )


def _read_blocks(ledger: ClipFhLedger) -> None:
    blocks = ledger.all["unfreeze_blocks"]
    there = "" if "unfreeze_blocks" in ledger.told else ", which is the original's default"
    if not isinstance(blocks, int) or blocks < 1:
        ledger.refused.append(
            f"unfreeze_blocks is {blocks!r}{there}: nothing of the image tower learns, so there is "
            "no image stage. Give the number of its last blocks, 12 for a whole ViT."
        )
        return
    whole = str(ledger.settings.get("backbone.name", "")).startswith("ViT") and blocks >= 12
    ledger.take("unfreeze_blocks", "stages.image.blocks", lambda _: None if whole else blocks)


def _read_prompt_guided(ledger: ClipFhLedger) -> tuple[str, ...]:
    """Take over the second stage of earlier versions: the tower against prompts of a first one."""
    ledger.read_frozen_text()
    if ledger.need("epochs", "lr", "batch_size"):
        ledger.take("epochs", "stages.image.epochs")
        ledger.take("lr", "stages.image.optimizer.lr", float)
        ledger.read_batch()
    if "n_ctx" in ledger.told:
        ledger.take("n_ctx", "prompt.context_tokens")
    ledger.read_template()
    ledger.read_patience()
    ledger.settings["start.checkpoint"] = "RUN"
    for key in ("prompt_ckpt", "resume_prompt_from"):
        ledger.change(
            key, "prompts are those of a run of prompt-learning", became="start.checkpoint=RUN"
        )
    return ("prompt-guided",)


def _as_weight(switch: object) -> int:
    return 1 if switch else 0


_VARIANTS: Mapping[str, Callable[[ClipFhLedger], tuple[str, ...]]] = MappingProxyType(
    {
        "baseline": _read_zero_shot,
        "stage1_frozen_text": _read_cross_entropy,
        "finetuned": _read_prompt_guided,
        "clipid": _read_hand_clip,
        "clipreid": _read_hand_clip,
        "promptsg": read_prompt_sg,
    }
)
"""How the keys of each variant are read; each returns the recipes that may be nearest."""


def _find_reading(variant: str) -> Callable[[ClipFhLedger], tuple[str, ...]] | None:
    return _read_losses if variant.startswith("stage2_loss_") else _VARIANTS.get(variant)
