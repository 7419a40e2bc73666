"""A trained model in the number type it is to embed with."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import get_args

import torch

from promptreid.config.hardware import Precision
from promptreid.errors import ConfigError, ModelError, unknown_name
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.reduced import can_reduce, reduce_tower
from promptreid.models.tuning.tuning import fold_tuning

NUMBER_TYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
)
"""Number types of matrix products by their name in recipes and options."""


def choose_precision(model: ReIDModel, precision: str, *, automatic: str) -> str:
    """Choose the number type that a model embeds in.

    Args:
        model: Its image tower decides what is possible.
        precision: A name in `NUMBER_TYPES`, or "auto".
        automatic: What "auto" stands for on the device; fp32 instead where the image tower is no
            plain vision transformer.

    Returns:
        A name in `NUMBER_TYPES`.

    Raises:
        ConfigError: The precision is unknown.
        ModelError: 16 bits are asked for and the image tower is no plain vision transformer.
    """
    if precision not in get_args(Precision):
        raise ConfigError(unknown_name("precision", precision, get_args(Precision)))
    possible = can_reduce(model.backbone.image)
    if precision == "auto":
        return automatic if possible else "fp32"
    if precision != "fp32" and not possible:
        raise ModelError(
            f"Embedding in 16 bits is known for CLIP's vision transformers; backbone "
            f"{model.backbone.name} is none, so {precision} is not possible. Take fp32, or auto, "
            "which falls back to it."
        )
    return precision


def in_precision(model: ReIDModel, precision: str) -> ReIDModel:
    """Give a model that embeds in a number type.

    In 16 bits the matrices of the image tower's blocks are rounded, as `reduce_tower` does; of the
    text tower likewise where embeddings read a sentence of the image. Norms, sums, additions to the
    tower, interaction and head keep float32, and so do embeddings. Low-rank updates are merged.

    Args:
        model: Not changed.
        precision: What `choose_precision` gave.

    Returns:
        The model itself for fp32; else a copy that does not learn.
    """
    if precision == "fp32":
        return model
    kind = NUMBER_TYPES[precision]
    copy = deepcopy(model)
    fold_tuning(copy.backbone.image)
    reduce_tower(copy.backbone.image, kind)
    if model.reads_sentence and can_reduce(copy.backbone.text):
        reduce_tower(copy.backbone.text, kind)
    return copy.requires_grad_(False)
