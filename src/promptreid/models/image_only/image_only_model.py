"""A network in the place of a dual encoder: it has an image tower and no text tower."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from promptreid.models.image_only.osnet import OSNETS, OSNet
from promptreid.models.image_only.solider_names import name_for_swin
from promptreid.models.image_only.solider_swin import SOLIDERS, SoliderSwin
from promptreid.models.image_only.transreid_names import name_for_trunk
from promptreid.models.image_only.transreid_vit import TRANSREIDS, TransReIDViT

_LOGIT_SCALE = math.log(1 / 0.07)
_CLASSIFIER = "classifier."


class ImageOnlyModel(nn.Module):
    """An image network beside the numbers that dual encoders have.

    Attributes:
        visual: The network.
        logit_scale: CLIP's first logit scale; nothing here has taught it.
        logit_bias: None.
    """

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual
        self.logit_scale = nn.Parameter(torch.tensor(_LOGIT_SCALE))
        self.logit_bias = None


def is_image_only(name: str) -> bool:
    """Tell whether an architecture has no text tower."""
    return name in OSNETS or name in TRANSREIDS or name in SOLIDERS


def build_image_only(
    name: str, config: Mapping[str, Any] | None = None, *, seed: int = 0, empty: bool = False
) -> ImageOnlyModel:
    """Build a network, leaving the global random state as it was.

    Args:
        name: One of `OSNETS`, `TRANSREIDS` or `SOLIDERS`.
        config: What it has beyond what its name says; None for nothing.
        seed: Seed of the weights.
        empty: Build without values, for weights that will be assigned.
    """
    if empty:
        with torch.device("meta"):
            return ImageOnlyModel(_build_network(name, config or {})).eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ImageOnlyModel(_build_network(name, config or {})).eval()


def _build_network(name: str, config: Mapping[str, Any]) -> nn.Module:
    if name in OSNETS:
        return OSNet(OSNETS[name])
    if name in SOLIDERS:
        return SoliderSwin(SOLIDERS[name])
    return TransReIDViT(TRANSREIDS[name], **config)


def name_for_backbone(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Copy a network's weights to the names of `Backbone`, in float32.

    The classifier of the identities, or of ImageNet's classes, that a file was trained on is left
    out: a head of our own takes its place.

    Args:
        tensors: The weights as a file has them.
        name: Of the architecture.

    Raises:
        WeightsError: The file has a part that has no place here.
    """
    if name in TRANSREIDS:
        tensors = name_for_trunk(tensors)
    if name in SOLIDERS:
        tensors = name_for_swin(tensors)
    named = {
        f"image.{key}": tensor.to(
            torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True
        )
        for key, tensor in tensors.items()
        if not key.startswith(_CLASSIFIER)
    }
    return {**named, "logit_scale": torch.tensor(_LOGIT_SCALE)}
