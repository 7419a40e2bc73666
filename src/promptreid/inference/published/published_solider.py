"""Published SOLIDER-REID checkpoints (`.pth`), rebuilt from nothing but the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from promptreid.config.model import EmbeddingConfig
from promptreid.data.images.preprocess import HALF, Preprocess
from promptreid.errors import WeightsError, parsing
from promptreid.inference.published.side_rows import number_names
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.image_only.solider_names import name_for_swin
from promptreid.models.image_only.solider_swin import IMAGE_SIZE, SOLIDERS
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import restore_backbone
from promptreid.models.towers.text_tower import ABSENT
from promptreid.models.weights.weight_files import load_strictly


def restore_solider(
    weights: Mapping[str, Tensor], path: Path, *, image_size: tuple[int, int] | None = None
) -> tuple[ReIDModel, CheckpointInfo]:
    """Rebuild a published SOLIDER-REID model.

    Width and depth are read off the names. The classifier and the batch-norm neck are ignored: the
    published configurations retrieve with the feature before them.

    Args:
        weights: Tensors by their published names.
        path: Where they come from.
        image_size: Height and width it was trained with; None for the published 384x128.

    Returns:
        The model in eval mode, and what a promptreid checkpoint would say of it.

    Raises:
        WeightsError: Tensors are missing, unknown or of another shape.
    """
    size = image_size or IMAGE_SIZE
    preprocess = Preprocess(size, HALF, HALF, "bicubic", "bilinear")
    with parsing(WeightsError, f"{path} is a damaged or unknown kind of SOLIDER checkpoint"):
        tensors = name_for_swin(weights)
        backbone = restore_backbone(
            {
                "name": _find_name(tensors, source=path),
                "config": {},
                "image_size": list(size),
                "stride": None,
                "text": ABSENT,
                "tokenizer": None,
                "native": preprocess.to_dict(),
                "pretrained": str(path),
            }
        )
        model = ReIDModel(backbone, embedding=EmbeddingConfig(features=("projected",)))
        named = {f"backbone.image.{name}": t.float().clone() for name, t in tensors.items()}
        named["backbone.logit_scale"] = torch.tensor(math.log(1 / 0.07))
    load_strictly(model, named, source=str(path), assign=True)
    classifier = weights.get("classifier.weight")
    classes = number_names(0 if classifier is None else classifier.shape[0], first=0)
    return model.eval(), CheckpointInfo(preprocess=preprocess, classes=classes)


def _find_name(tensors: Mapping[str, Tensor], *, source: Path) -> str:
    width = tensors["patch_embed.projection.weight"].shape[0]
    depth = len({n.split(".")[3] for n in tensors if n.startswith("stages.2.blocks.")})
    for name, shape in SOLIDERS.items():
        if (shape.width, shape.depths[2]) == (width, depth):
            return name
    raise WeightsError(
        f"{source} holds a Swin of width {width} with {depth} blocks in its third stage; those of "
        f"SOLIDER are {', '.join(f'{n} ({s.width}, {s.depths[2]})' for n, s in SOLIDERS.items())}."
    )
