"""Vision transformers of TransReID (He et al., TransReID: Transformer-based Object
Re-Identification, ICCV 2021) and of its pre-training on people without labels (Luo et al.,
Self-Supervised Pre-Training for Transformer-Based Person Re-Identification, 2021).

Parts are called as there, so that files fit as they are. The branch of shuffled patches and side
information that is added to all tokens have no place here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from timm.layers import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from promptreid.errors import WeightsError
from promptreid.models.towers.position_embeddings import count_patches

PATCH = 16
_STEM = 64  # channels of the convolutions before the patches
_NO_PART = ("head.", "fc.", "pre_logits.")  # classifiers, and DINO's projection
_PARTS_AFTER = ("classifier", "bottleneck")
_SIZES = ((256, 128), (384, 128), (256, 256), (224, 224))
_SMALLEST_STRIDE = 8


class TransReIDShape(NamedTuple):
    """What tells one from another.

    Attributes:
        width: Of a token.
        heads: Of an attention layer.
        stem: Whether three convolutions see the image before it is cut into patches ("ICS").
    """

    width: int
    heads: int
    stem: bool = False


TRANSREIDS: Mapping[str, TransReIDShape] = {
    "transreid_vit_base": TransReIDShape(768, 12),
    "transreid_vit_small": TransReIDShape(384, 6),
    "transreid_vit_base_ics": TransReIDShape(768, 12, stem=True),
    "transreid_vit_small_ics": TransReIDShape(384, 6, stem=True),
}
"""Shapes by name."""


class HalfInstanceNorm(nn.Module):
    """Norms one half of the channels by image, and the other by batch (IBN)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.IN = nn.InstanceNorm2d(channels // 2, affine=True)
        self.BN = nn.BatchNorm2d(channels - channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Norm a map (B, C, rows, columns)."""
        alone, together = x.tensor_split([self.IN.num_features], dim=1)
        return torch.cat([self.IN(alone), self.BN(together)], dim=1)


class StemPatches(PatchEmbed):
    """Patches of 16 pixels, cut from a map of half the rows and columns."""

    def __init__(self, width: int) -> None:
        super().__init__(img_size=_SIZES[0], patch_size=PATCH, embed_dim=width)
        self.conv = nn.Sequential(
            nn.Conv2d(3, _STEM, 7, stride=2, padding=3, bias=False),
            HalfInstanceNorm(_STEM),
            nn.ReLU(),
            nn.Conv2d(_STEM, _STEM, 3, padding=1, bias=False),
            HalfInstanceNorm(_STEM),
            nn.ReLU(),
            nn.Conv2d(_STEM, _STEM, 3, padding=1, bias=False),
            nn.BatchNorm2d(_STEM),
            nn.ReLU(),
        )
        self.proj = nn.Conv2d(_STEM, width, PATCH // 2, stride=PATCH // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Turn images (B, 3, H, W) into tokens (B, N, width)."""
        return self.proj(self.conv(x)).flatten(2).transpose(1, 2)


class TransReIDViT(nn.Module):
    """The transformer up to its class token after the last norm; it has no classifier.

    Attributes:
        trunk: The transformer.
        head: Nothing.
    """

    def __init__(self, shape: TransReIDShape) -> None:
        """Build the parts with random weights, for images of 256x128."""
        super().__init__()
        self.trunk = VisionTransformer(
            img_size=_SIZES[0],
            patch_size=PATCH,
            embed_dim=shape.width,
            num_heads=shape.heads,
            num_classes=0,
        )
        if shape.stem:
            self.trunk.patch_embed = StemPatches(shape.width)
        self.head = nn.Sequential()


def name_for_trunk(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of the transformer the names of `TransReIDViT`.

    Taken are files of TransReID (`base.`), of DINO (`backbone.`) and bare ones. Classifiers and
    batch-norm necks are left out: a head of our own takes their place.

    Raises:
        WeightsError: The file has a part that has no place here.
    """
    if any(name.startswith(("b1.", "b2.")) for name in tensors):
        raise WeightsError(
            "The file was trained with TransReID's jigsaw branch (MODEL.JPM True), whose feature "
            "is five features side by side. Take one that was trained with JPM False."
        )
    for prefix in ("base.", "backbone."):
        if any(name.startswith(prefix) for name in tensors):
            outside = [name for name in tensors if not name.startswith((prefix, *_PARTS_AFTER))]
            if prefix == "base." and outside:
                raise WeightsError(f"The file holds {outside[0]}, which is no part of TransReID.")
            tensors = {
                name.removeprefix(prefix): tensor
                for name, tensor in tensors.items()
                if name.startswith(prefix)
            }
            break
    if "sie_embed" in tensors:
        raise WeightsError(
            "The file was trained with side information that is added to all tokens "
            "(MODEL.SIE_CAMERA or SIE_VIEW True), which has no place here. Take one that was "
            "trained without."
        )
    return {
        f"trunk.{name}": tensor
        for name, tensor in tensors.items()
        if not name.startswith((*_NO_PART, *_PARTS_AFTER))
    }


def find_input(positions: Tensor) -> tuple[tuple[int, int], int]:
    """Return image size and stride of position embeddings (1, 1 + patches, width).

    Raises:
        WeightsError: No usual size and stride has so many patches.
    """
    count = positions.shape[1] - 1
    for size in _SIZES:
        for stride in range(PATCH, _SMALLEST_STRIDE - 1, -1):
            rows, columns = count_patches(size, patch=PATCH, stride=stride)
            if rows * columns == count:
                return size, stride
    raise WeightsError(
        f"The file has position embeddings of {count} patches, which no image of "
        f"{', '.join(f'{rows}x{columns}' for rows, columns in _SIZES)} has at a stride from "
        f"{_SMALLEST_STRIDE} to {PATCH}."
    )
