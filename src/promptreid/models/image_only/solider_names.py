"""Names in files of SOLIDER, in those of `SoliderSwin`."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from promptreid.errors import WeightsError

_FIRST = "patch_embed.projection.weight"
_TUNED, _PRETRAINED = "base.", "backbone."
_PARTS_AFTER = ("classifier", "bottleneck")
_REDUCTION = "fcneck."
_UNREAD = ("norm0.", "norm1.", "norm2.", "semantic_embed_w.3.", "semantic_embed_b.3.")
_INDEX = "relative_position_index"


def is_solider(names: Mapping[str, Tensor]) -> bool:
    """Tell whether weights bear the names of a model that SOLIDER-REID trained."""
    return _TUNED + _FIRST in names


def name_for_swin(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of a file the names of `SoliderSwin`.

    Taken are files of the pre-training (`backbone.`), of SOLIDER-REID (`base.`) and bare ones. Left
    out are classifiers, batch-norm necks, and what the feature does not read: norms of the earlier
    maps, and what would change the last map after its feature was taken.

    Raises:
        WeightsError: The file has a part that has no place here.
    """
    prefix = next((p for p in (_TUNED, _PRETRAINED) if p + _FIRST in tensors), "")
    if any(name.startswith(_REDUCTION) for name in tensors):
        raise WeightsError(
            "The file reduces its feature with a further layer (MODEL.REDUCE_FEAT_DIM True), which "
            "has no place here. Take one that was trained with False, as all published are."
        )
    outside = [name for name in tensors if not name.startswith((prefix, *_PARTS_AFTER))]
    if prefix == _TUNED and outside:
        raise WeightsError(f"The file holds {outside[0]}, which is no part of SOLIDER.")
    inside = {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    left_out = (*_UNREAD, *_PARTS_AFTER, "head.")
    return {
        name: tensor
        for name, tensor in inside.items()
        if not name.startswith(left_out) and not name.endswith(_INDEX)
    }
