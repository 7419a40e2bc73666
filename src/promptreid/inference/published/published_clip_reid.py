"""Published CLIP-ReID checkpoints (`.pth`), rebuilt from nothing but the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from promptreid.config.model import PromptConfig
from promptreid.data.images.preprocess import (
    CLIP_MEAN,
    CLIP_STD,
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Preprocess,
)
from promptreid.errors import WeightsError, parsing
from promptreid.inference.published.side_rows import name_side_rows, number_names, read_side_rows
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.prompts.context_positions import Slot
from promptreid.models.prompts.identity_prompt import IdentityPrompt, IdentityPromptShape
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import restore_backbone
from promptreid.models.towers.position_embeddings import count_patches
from promptreid.models.towers.resnet import measure_map
from promptreid.models.towers.text_tower import ABSENT, NO_VOCABULARY
from promptreid.models.weights.weight_files import load_strictly

_IMAGE, _TEXT, _PROMPT = "image_encoder.", "text_encoder.", "prompt_learner."
_HEADS = ("classifier", "bottleneck")
_IMAGE_SIZES = ((256, 128), (256, 256))
_STRIDES = (16, 12)
WORDS_AFTER_CONTEXT = 2
"""The published templates end in "person." or "vehicle.": a noun, a full stop, then EOT."""


def is_clip_reid(names: Mapping[str, Tensor]) -> bool:
    """Tell whether weights bear the names of published CLIP-ReID."""
    return any(name.startswith(_IMAGE) for name in names)


def restore_clip_reid(
    weights: Mapping[str, Tensor],
    path: Path,
    *,
    image_size: tuple[int, int] | None = None,
    views: int = 0,
    coefficient: float = 1.0,
) -> tuple[ReIDModel, CheckpointInfo]:
    """Rebuild a published CLIP-ReID model.

    Architecture, identities, grid and stride are read off the shapes. The classifiers and
    batch-norm necks are ignored: the published recipe retrieves with the features before them.
    Files of the baseline, without text, are read too; without the table of word embeddings, which
    no published file holds, the stored prompts work but new sentences do not.

    Args:
        weights: Tensors by their published names.
        path: Where they come from.
        image_size: Height and width it was trained with; None to find it among 256x128 and 256x256.
        views: How many views the side-information table distinguishes, beside cameras; the file
            only holds their product.
        coefficient: Factor on the side information (`SIE_COE`), which the file does not hold; 1 in
            the published configurations.

    Returns:
        The model in eval mode, and what a promptreid checkpoint would say of it. Rows of the side
        information stand for cameras "1", "2", … and views "0", "1", …, as the readers of the
        published data sets name them.

    Raises:
        WeightsError: Tensors are missing, unknown or of another shape, or the image size cannot be
            told.
    """
    tensors = {name: t.float() for name, t in weights.items()}
    try:
        with parsing(WeightsError, f"{path} is a damaged or unknown kind of CLIP-ReID checkpoint"):
            description = _describe_backbone(tensors, image_size, source=path)
            model = _assemble(tensors, description, views=views, coefficient=coefficient)
    except WeightsError as error:
        if isinstance(error.__cause__, KeyError):
            raise WeightsError(
                f"{path} is an incomplete CLIP-ReID checkpoint: {error.__cause__} is missing."
            ) from None
        raise
    load_strictly(model, _rename(tensors, model), source=str(path), assign=True)
    return model.eval(), _info(tensors, description, model)


def _describe_backbone(
    tensors: Mapping[str, Tensor], image_size: tuple[int, int] | None, *, source: Path
) -> dict[str, Any]:
    image = {n.removeprefix(_IMAGE): t for n, t in tensors.items() if n.startswith(_IMAGE)}
    is_vit = "class_embedding" in image
    vision = _vit_config(image) if is_vit else _resnet_config(image)
    positions = image["positional_embedding" if is_vit else "attnpool.positional_embedding"]
    patch = vision.get("patch_size")
    size, stride = _find_size(positions.shape[0] - 1, patch, image_size, source=source)
    text = {n.removeprefix(_TEXT): t for n, t in tensors.items() if n.startswith(_TEXT)}
    return {
        "name": _name(vision),
        "config": {
            "embed_dim": (image["proj"] if is_vit else image["attnpool.c_proj.weight"].T).shape[1],
            "quick_gelu": True,
            "vision_cfg": vision,
            "text_cfg": _text_config(text),
        },
        "image_size": list(size),
        "stride": stride,
        "text": NO_VOCABULARY if text else ABSENT,
        "tokenizer": None,
        "native": Preprocess(image_size=(224, 224), mean=CLIP_MEAN, std=CLIP_STD).to_dict(),
        "pretrained": str(source),
    }


def _vit_config(image: Mapping[str, Tensor]) -> dict[str, Any]:
    width, _, patch, _ = image["conv1.weight"].shape
    return {
        "layers": _count_blocks(image),
        "width": width,
        "patch_size": patch,
        "head_width": 64,
        "image_size": 224 // patch * patch,
    }


def _resnet_config(image: Mapping[str, Tensor]) -> dict[str, Any]:
    layers = [
        len({name.split(".")[1] for name in image if name.startswith(f"layer{stage}.")})
        for stage in (1, 2, 3, 4)
    ]
    width = image["layer1.0.conv1.weight"].shape[0]
    return {"layers": layers, "width": width, "head_width": 64, "image_size": 224}


def _text_config(text: Mapping[str, Tensor]) -> dict[str, Any]:
    if not text:
        return {"vocab_size": 1, "width": 64, "heads": 1, "layers": 1}
    width = text["ln_final.weight"].shape[0]
    return {
        "context_length": text["positional_embedding"].shape[0],
        "vocab_size": 1,
        "width": width,
        "heads": width // 64,
        "layers": _count_blocks(text),
    }


def _count_blocks(tower: Mapping[str, Tensor]) -> int:
    return len({n.split(".")[2] for n in tower if n.startswith("transformer.resblocks.")})


def _name(vision: Mapping[str, Any]) -> str:
    if "patch_size" not in vision:
        is_rn50 = vision["layers"] == [3, 4, 6, 3] and vision["width"] == 64
        return "RN50" if is_rn50 else "CLIP-ResNet"
    size = {768: "B", 1024: "L"}.get(vision["width"])
    return f"ViT-{size}-{vision['patch_size']}" if size else "CLIP-ViT"


def _find_size(
    cells: int, patch: int | None, image_size: tuple[int, int] | None, *, source: Path
) -> tuple[tuple[int, int], int]:
    """Find image size and stride whose grid has as many cells as the position embedding."""
    sizes = _IMAGE_SIZES if image_size is None else (image_size,)
    if patch is None:
        candidates = [
            (size, stride, measure_map(size, stride)) for size in sizes for stride in (16, 32)
        ]
    else:
        every = range(patch, 0, -1)
        strides = [s for s in (*_STRIDES, patch) if s <= patch] if image_size is None else every
        candidates = [
            (size, stride, count_patches(size, patch=patch, stride=stride))
            for size in sizes
            for stride in dict.fromkeys(strides)
        ]
    for size, stride, (rows, columns) in candidates:
        if rows * columns == cells:
            return size, stride
    tried = ", ".join(f"{height}x{width}" for height, width in sizes)
    raise WeightsError(
        f"The position embedding of {source} has {cells} cells, which no stride gives for images "
        f"of {tried}. Give the image_size (height, width) these weights were trained with."
    )


def _assemble(
    tensors: Mapping[str, Tensor], description: dict[str, Any], *, views: int, coefficient: float
) -> ReIDModel:
    backbone = restore_backbone(description)
    prompt = None
    context = tensors.get(_PROMPT + "cls_ctx")
    if context is not None:
        start = tensors[_PROMPT + "token_prefix"].shape[1]
        rest = tensors[_PROMPT + "token_suffix"].shape[1]
        identities, length = context.shape[:2]
        end = start + length
        slot = Slot(start, length, end + WORDS_AFTER_CONTEXT, end + rest)
        prompt = IdentityPrompt(
            backbone,
            PromptConfig(
                template=("A photo of a {context} (person or vehicle).",), context_tokens=length
            ),
            IdentityPromptShape(identities=identities, prefix=start, slots=(slot,)),
        )
    table = tensors.get("cv_embed")
    sie = None
    if table is not None and backbone.image.has_class_token:
        sie = read_side_rows(table, views=views, coefficient=coefficient)
    return ReIDModel(backbone, prompt=prompt, sie=sie)


def _rename(tensors: Mapping[str, Tensor], model: ReIDModel) -> dict[str, Tensor]:
    """Translate published names; heads, and the table a ResNet never used, are left out."""
    # The method never scales its logits, so the file has no scale; CLIP's initial one is set.
    renamed = {"backbone.logit_scale": torch.tensor(math.log(1 / 0.07))}
    for name, tensor in tensors.items():
        if name.startswith(_HEADS) or (name == "cv_embed" and model.sie is None):
            continue
        if name.startswith(_IMAGE):
            name = "backbone.image." + name.removeprefix(_IMAGE)
        elif name.startswith(_TEXT):
            name = "backbone.text." + name.removeprefix(_TEXT)
        elif name == "cv_embed":
            name = "sie.embed"
        elif name == _PROMPT + "cls_ctx":
            name = "prompt.tokens"
        elif name in (_PROMPT + "token_prefix", _PROMPT + "token_suffix"):
            name = "prompt." + name.removeprefix(_PROMPT + "token_")
            tensor = tensor.squeeze(0)
        if tensor.is_floating_point() and name.endswith("num_batches_tracked"):
            tensor = tensor.long()
        renamed[name] = tensor.clone()
    return renamed


def _info(
    tensors: Mapping[str, Tensor], description: dict[str, Any], model: ReIDModel
) -> CheckpointInfo:
    is_vit = model.backbone.image.has_class_token
    height, width = description["image_size"]
    preprocess = Preprocess(
        image_size=(height, width),
        mean=HALF if is_vit else IMAGENET_MEAN,
        std=HALF if is_vit else IMAGENET_STD,
    )
    classifier = tensors.get("classifier.weight", tensors.get(_PROMPT + "cls_ctx"))
    cameras, views = name_side_rows(model.sie)
    classes = 0 if classifier is None else classifier.shape[0]
    return CheckpointInfo(
        preprocess=preprocess,
        # The file numbers identities, cameras and views; their names stayed with the training data.
        classes=number_names(classes, first=0),
        camera_values=cameras,
        view_values=views,
    )
