"""Which models the layout of published CLIP-ReID files can hold, and which not, in a sentence."""

from __future__ import annotations

from collections.abc import Generator

from promptreid.data.images.preprocess import HALF, IMAGENET_MEAN, IMAGENET_STD, Preprocess
from promptreid.errors import ModelError
from promptreid.inference.exporting.export_options import ExportOptions
from promptreid.inference.published.published_clip_reid import WORDS_AFTER_CONTEXT
from promptreid.models.prompts.identity_prompt import IdentityPrompt
from promptreid.models.prompts.prompt import Prompt
from promptreid.models.reid import ReIDModel

PUBLISHED = ("ViT-B-16", "RN50")
"""Backbones that the published code builds."""

CONTEXT_TOKENS = 4
_FEATURES = ("final", "projected")


def check_layout(model: ReIDModel, preprocess: Preprocess, options: ExportOptions) -> None:
    """Raise `ModelError` with all reasons why a published file cannot hold a model."""
    problems = list(_find_problems(model, preprocess, options))
    if problems:
        raise ModelError(
            "The layout of published CLIP-ReID files cannot hold this model: "
            + "; ".join(problems)
            + ". Export it as ONNX or as a folder for the hub."
        )


def check_boxmot(model: ReIDModel, preprocess: Preprocess, name: str) -> None:
    """Raise `ModelError` where BoxMOT up to 21 would read a file as something else.

    Args:
        model: The model.
        preprocess: Its size.
        name: Name of the file, from which that program tells architecture and size.
    """
    tower = model.backbone.image
    vehicles = "veri" in name or "vehicleid" in name
    wanted = (256, 256) if vehicles else (256, 128)
    problems = []
    if model.backbone.name != PUBLISHED[0] or tower.stride != tower.patch:
        problems.append(
            f"it builds ViT-B-16 with stride 16, not {model.backbone.name} with {tower.stride}"
        )
    if not name.startswith("clip_"):
        problems.append(f"it knows the network by the name of the file, clip_NAME.pt, not {name}")
    if preprocess.image_size != wanted:
        problems.append(
            f"it takes images of {wanted[0]}x{wanted[1]} for a file of this name, not "
            f"{preprocess.image_size[0]}x{preprocess.image_size[1]} (256x256 where the name holds "
            "veri or vehicleid)"
        )
    if problems:
        raise ModelError(
            "BoxMOT up to version 21 cannot use this file: "
            + "; ".join(problems)
            + ". Version 22 and later read ONNX: promptreid export RUN FILE.onnx --for boxmot."
        )


def _find_problems(
    model: ReIDModel, preprocess: Preprocess, options: ExportOptions
) -> Generator[str]:
    backbone, tower = model.backbone, model.backbone.image
    if backbone.name not in PUBLISHED:
        yield f"the published code builds {' and '.join(PUBLISHED)}, not {backbone.name}"
    if not backbone.architecture.config.get("quick_gelu"):
        yield "the published code computes OpenAI's activation, this backbone another (quick_gelu)"
    kept = [name for name, addition in tower.tuning.items() if not addition.folds]
    if kept:
        yield f"there is no place for tuning.{', tuning.'.join(kept)}"
    if model.interaction is not None:
        yield "there is no place for an interaction of text and image"
    yield from _prompt_problems(model.prompt)
    yield from _head_problems(model, options)
    usual = (IMAGENET_MEAN, IMAGENET_STD) if tower.imagenet_pixels else (HALF, HALF)
    if (preprocess.mean, preprocess.std) != usual:
        yield (
            f"pixels are normed with mean {preprocess.mean} and std {preprocess.std}, and files "
            f"of this kind are read with {usual[0]} and {usual[1]}"
        )
    if preprocess.test_interpolation != "bilinear":
        yield "images are resized bicubically, and there bilinearly"
    if options.half:
        yield "its weights are float32 (leave --half out)"


def _prompt_problems(prompt: Prompt | None) -> Generator[str]:
    if prompt is None:
        return
    if not isinstance(prompt, IdentityPrompt):
        yield "there is no place for a sentence of each image"
        return
    slots = prompt.shape.slots
    plain = len(slots) == 1 and prompt.tokens.dim() == 3 and prompt.shared is None
    if not plain or prompt.domain is not None:
        yield (
            "its prompts have one sentence with tokens of each identity; there is no place for "
            "several sentences, ensembles, and shared or domain tokens"
        )
        return
    slot = slots[0]
    if slot.length != CONTEXT_TOKENS:
        yield f"its prompts have {CONTEXT_TOKENS} context tokens, not {slot.length}"
    if slot.eot != slot.start + slot.length + WORDS_AFTER_CONTEXT:
        yield "its sentence ends with one noun and a full stop after the learned tokens"


def _head_problems(model: ReIDModel, options: ExportOptions) -> Generator[str]:
    features = tuple(model.embedding.features)
    if features != _FEATURES:
        yield f"its vector joins {' and '.join(_FEATURES)}, not {' and '.join(features)}"
    neck = options.neck or model.embedding.neck
    if neck == "after" and options.consumer != "boxmot":
        yield (
            "the file does not say that vectors are taken after the neck, and is read with those "
            "before it (--neck before)"
        )
    head = model.head
    if head is None:
        return
    if head.makers:
        yield f"there is no place for head.{', head.'.join(head.makers)}"
    if head.shape.domains is not None and head.necks:
        yield "there is no place for necks of single domains"
    if not set(head.features) <= set(_FEATURES):
        yield f"it classifies {' and '.join(_FEATURES)}, not {' and '.join(head.features)}"
    if not set(head.kinds) <= {"linear"}:
        yield f"its classifiers are linear, not {' and '.join(head.kinds)}"
