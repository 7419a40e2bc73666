"""A trained model in the number type it is to embed with."""

from __future__ import annotations

from copy import deepcopy

from promptreid.errors import ConfigError, ModelError, unknown_name
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.reduced import can_reduce, reduce_tower
from promptreid.models.tuning.tuning import fold_tuning

PRECISIONS = ("float32", "bfloat16", "auto")
"""What `in_precision` knows; `auto` is bfloat16 where it is native and the towers are known."""


def in_precision(model: ReIDModel, precision: str, *, native: bool) -> ReIDModel:
    """Give a model that embeds in a number type.

    In bfloat16 the matrices of the image tower's blocks are rounded, as `reduce_tower` does; of the
    text tower likewise where embeddings read a sentence of the image. Norms, sums, additions to the
    tower, interaction and head keep float32, and so do embeddings. Low-rank updates are merged.

    Args:
        model: Not changed.
        precision: One of `PRECISIONS`.
        native: Whether the device multiplies bfloat16 numbers by itself.

    Returns:
        The model itself for float32; else a copy that does not learn.

    Raises:
        ConfigError: The precision is unknown.
        ModelError: bfloat16 is asked for and the image tower is no plain vision transformer.
    """
    if precision not in PRECISIONS:
        raise ConfigError(unknown_name("precision", precision, PRECISIONS))
    possible = can_reduce(model.backbone.image)
    if precision == "float32" or (precision == "auto" and not (native and possible)):
        return model
    if not possible:
        raise ModelError(
            f"Embedding in bfloat16 is known for CLIP's vision transformers; backbone "
            f"{model.backbone.name} is none. Take float32, or auto, which falls back to it."
        )
    copy = deepcopy(model)
    fold_tuning(copy.backbone.image)
    reduce_tower(copy.backbone.image)
    if model.reads_sentence and can_reduce(copy.backbone.text):
        reduce_tower(copy.backbone.text)
    return copy.requires_grad_(False)
