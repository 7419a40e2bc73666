"""Files of weights as published code saves them, read as models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptreid.errors import WeightsError
from promptreid.inference.published.published_clip_reid import is_clip_reid, restore_clip_reid
from promptreid.inference.published.published_solider import restore_solider
from promptreid.inference.published.published_transreid import restore_transreid
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.image_only.solider_names import is_solider
from promptreid.models.image_only.transreid_names import is_transreid
from promptreid.models.reid import ReIDModel
from promptreid.models.weights.weight_files import read_weights


def read_published(
    path: Path,
    *,
    image_size: tuple[int, int] | None = None,
    views: int = 0,
    coefficient: float | None = None,
) -> tuple[ReIDModel, CheckpointInfo]:
    """Rebuild a model of CLIP-ReID, TransReID or SOLIDER from the file that its own code saved.

    Args:
        path: A `.pth` state dict, with or without `module.` prefixes.
        image_size: Height and width it was trained with; None to find it among the published ones.
        views: How many views the side-information table distinguishes, beside cameras.
        coefficient: Factor on the side information; None for that of the published configurations.

    Returns:
        The model in eval mode, and what a promptreid checkpoint would say of it; see
        `restore_clip_reid`, `restore_transreid` and `restore_solider`.

    Raises:
        WeightsError: The file is unreadable, is none of these, or does not fit.
    """
    tensors = read_weights(path).tensors
    options: dict[str, Any] = {"image_size": image_size, "views": views}
    if coefficient is not None:
        options["coefficient"] = coefficient
    if is_clip_reid(tensors):
        return restore_clip_reid(tensors, path, **options)
    if is_transreid(tensors):
        return restore_transreid(tensors, path, **options)
    if is_solider(tensors):
        return restore_solider(tensors, path, image_size=image_size)
    raise WeightsError(
        f"{path} is not a published checkpoint of CLIP-ReID, TransReID or SOLIDER: none of its "
        f"{len(tensors)} tensors is named `image_encoder.…`, `base.cls_token` or "
        "`base.patch_embed.projection.weight`. To start training from weights, give the file as "
        "`backbone.pretrained`."
    )
