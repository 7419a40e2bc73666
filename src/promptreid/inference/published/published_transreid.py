"""Published TransReID checkpoints (`.pth`), rebuilt from nothing but the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from promptreid.config.model import EmbeddingConfig
from promptreid.data.images.preprocess import HALF, Preprocess
from promptreid.errors import WeightsError, parsing
from promptreid.inference.published.side_rows import name_side_rows, number_names, read_side_rows
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.image_only.transreid_names import (
    COEFFICIENT,
    SIDES,
    find_input,
    has_jigsaw,
    name_published,
)
from promptreid.models.image_only.transreid_vit import TRANSREIDS
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import restore_backbone
from promptreid.models.towers.text_tower import ABSENT
from promptreid.models.weights.weight_files import load_strictly

_SHIFT, _SQUARE_SHIFT = 5, 8  # of the jigsaw branch (`SHIFT_NUM`): of people, and of vehicles


def restore_transreid(
    weights: Mapping[str, Tensor],
    path: Path,
    *,
    image_size: tuple[int, int] | None = None,
    views: int = 0,
    coefficient: float = COEFFICIENT,
) -> tuple[ReIDModel, CheckpointInfo]:
    """Rebuild a published TransReID model with its side information and its jigsaw branch.

    Width, grid and stride are read off the shapes. The classifiers and batch-norm necks are
    ignored: the published configurations retrieve with the features before them. Patches are
    shifted by 5 before they are shuffled, and by 8 where images are square, as there.

    Args:
        weights: Tensors by their published names.
        path: Where they come from.
        image_size: Height and width it was trained with; None to find it among 256x128, 384x128,
            256x256 and 224x224.
        views: How many views the side-information table distinguishes, beside cameras; the file
            only holds their product.
        coefficient: Factor on the side information (`SIE_COE`), which the file does not hold.

    Returns:
        The model in eval mode, and what a promptreid checkpoint would say of it; cameras and views
        are named as by `restore_clip_reid`.

    Raises:
        WeightsError: Tensors are missing, unknown or of another shape, or the image size cannot be
            told.
    """
    tensors = {name: t.float() if t.is_floating_point() else t for name, t in weights.items()}
    with parsing(WeightsError, f"{path} is a damaged or unknown kind of TransReID checkpoint"):
        backbone = restore_backbone(_describe_backbone(tensors, image_size, source=path))
        table = tensors.get(SIDES)
        named = {f"backbone.image.{name}": t.clone() for name, t in name_published(tensors).items()}
        named["backbone.logit_scale"] = torch.tensor(math.log(1 / 0.07))
        sie = None
        if table is not None:
            named["sie.embed"] = table.squeeze(1).clone()
            sie = read_side_rows(named["sie.embed"], views=views, coefficient=coefficient)
        model = ReIDModel(backbone, sie=sie, embedding=EmbeddingConfig(features=("projected",)))
    load_strictly(model, named, source=str(path), assign=True)
    classifier = tensors.get("classifier.weight")
    cameras, view_names = name_side_rows(sie)
    info = CheckpointInfo(
        preprocess=Preprocess(backbone.image.image_size, HALF, HALF, "bicubic", "bilinear"),
        classes=number_names(0 if classifier is None else classifier.shape[0], first=0),
        camera_values=cameras,
        view_values=view_names,
    )
    return model.eval(), info


def _describe_backbone(
    tensors: Mapping[str, Tensor], image_size: tuple[int, int] | None, *, source: Path
) -> dict[str, Any]:
    width = tensors["base.cls_token"].shape[-1]
    stem = "base.patch_embed.conv.0.weight" in tensors
    name = next((n for n, s in TRANSREIDS.items() if (s.width, s.stem) == (width, stem)), None)
    if name is None:
        raise WeightsError(
            f"{source} holds a transformer of width {width}; those of TransReID that are known "
            f"here are {', '.join(f'{n} ({s.width})' for n, s in TRANSREIDS.items())}."
        )
    (rows, columns), stride = find_input(tensors["base.pos_embed"], image_size)
    shift = _SQUARE_SHIFT if rows == columns else _SHIFT
    return {
        "name": name,
        "config": {"shift": shift} if has_jigsaw(tensors) else {},
        "image_size": [rows, columns],
        "stride": stride,
        "text": ABSENT,
        "tokenizer": None,
        "native": Preprocess((rows, columns), HALF, HALF, "bicubic", "bilinear").to_dict(),
        "pretrained": str(source),
    }
