"""Vision transformers of TransReID (He et al., TransReID: Transformer-based Object
Re-Identification, ICCV 2021) and of its pre-training on people without labels (Luo et al.,
Self-Supervised Pre-Training for Transformer-Based Person Re-Identification, 2021).

Parts are called as there, so that files fit as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from timm.layers import PatchEmbed
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

PATCH, BLOCKS = 16, 12
IMAGE_SIZE = (256, 128)
JIGSAW_GROUPS = 4
"""Groups of patches that the jigsaw branch sees one by one."""
_NORM: Any = partial(nn.LayerNorm, eps=1e-6)
_STEM = 64  # channels of the convolutions before the patches


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
        super().__init__(img_size=IMAGE_SIZE, patch_size=PATCH, embed_dim=width)
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


class JigsawBranch(nn.Module):
    """A last block and norm of its own, which see groups of patches from all over the image.

    Patches are shifted and shuffled, then split into four groups; the class token reads each of
    them alone (the jigsaw patch module of TransReID, section 3.2).

    Attributes:
        shift: The patch that comes first, counted from 1; those before it come last.
    """

    def __init__(self, shape: TransReIDShape, shift: int) -> None:
        super().__init__()
        self.shift = shift
        self.block = Block(shape.width, shape.heads, qkv_bias=True, norm_layer=_NORM)
        self.norm = _NORM(shape.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the class tokens of the groups, (B, 4, width).

        Args:
            tokens: (B, 1 + N, width) tokens that enter the last block; N is at least 4.
        """
        first, patches = tokens[:, :1], tokens[:, 1:]
        size = patches.shape[1] // JIGSAW_GROUPS
        patches = patches.roll(1 - self.shift, dims=1)
        if patches.shape[1] % 2:  # the published code repeats the last but one of an odd number
            patches = torch.cat([patches, patches[:, -2:-1]], dim=1)
        patches = patches.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
        groups = patches[:, : JIGSAW_GROUPS * size].unflatten(1, (JIGSAW_GROUPS, size))
        groups = torch.cat([first.unsqueeze(1).expand(-1, JIGSAW_GROUPS, -1, -1), groups], dim=2)
        seen = self.norm(self.block(groups.flatten(0, 1))[:, 0])
        return seen.unflatten(0, (-1, JIGSAW_GROUPS))


class TransReIDViT(nn.Module):
    """The transformer up to its class token after the last norm; it has no classifier.

    Attributes:
        trunk: The transformer.
        head: Nothing.
        jigsaw: The branch that sees groups of shuffled patches; None where there is none.
    """

    def __init__(self, shape: TransReIDShape, *, shift: int | None = None) -> None:
        """Build the parts with random weights, for images of 256x128.

        Args:
            shape: Which one of `TRANSREIDS`.
            shift: How far the jigsaw branch shifts patches before it shuffles them; None for a
                network without that branch.
        """
        super().__init__()
        self.jigsaw = None if shift is None else JigsawBranch(shape, shift)
        self.trunk = VisionTransformer(
            img_size=IMAGE_SIZE,
            patch_size=PATCH,
            embed_dim=shape.width,
            depth=BLOCKS,
            num_heads=shape.heads,
            num_classes=0,
        )
        if shape.stem:
            self.trunk.patch_embed = StemPatches(shape.width)
        self.head = nn.Sequential()
