"""Transformer towers with 16-bit matrices, while the tokens between blocks stay in float32.

Rounding a weight once costs nothing at each batch, unlike autocast, which also runs the norms in
float32 and rounds their results apart. Rounding the tokens themselves would add up over the blocks;
so the residual sums, norms, positions and the final projection keep full precision.
"""

from __future__ import annotations

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

from promptreid.errors import ModelError
from promptreid.models.towers.blocks import can_share
from promptreid.models.towers.text_tower import TextTower
from promptreid.models.towers.vit import ViTTower


class RoundedOutput(nn.Module):
    """A module in its own precision, whose output is rounded to another type."""

    def __init__(self, module: nn.Module, kind: torch.dtype) -> None:
        super().__init__()
        self.module = module
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """Run the module and round."""
        return self.module(x).to(self.kind)


def reduce_tower(tower: nn.Module, kind: torch.dtype = torch.bfloat16) -> None:
    """Round the matrices of a tower's blocks to a smaller type, in place.

    The tower then takes and gives float32, runs the same short cuts, and gradients reach what
    enters it. It does not learn any more: none of its parameters requires a gradient. Visual
    prompts and adapters keep float32, as the tokens between blocks do.

    Args:
        tower: An image or text tower of plain blocks; low-rank updates are merged.
        kind: torch.bfloat16, or torch.float16 on cards without it.

    Raises:
        ModelError: The tower is of another architecture, or has low-rank updates.
    """
    _check(tower)
    assert isinstance(tower, ViTTower | TextTower)
    for block in tower.transformer.resblocks:
        assert isinstance(block, ResidualAttentionBlock)
        block.attn.to(kind)
        block.mlp.to(kind)
        block.ln_1 = RoundedOutput(block.ln_1, kind)
        block.ln_2 = RoundedOutput(block.ln_2, kind)
    if isinstance(tower, ViTTower):
        tower.conv1.to(kind)
    tower.requires_grad_(False)


def can_reduce(tower: nn.Module) -> bool:
    """Return whether a tower is of plain transformer blocks, all that `reduce_tower` knows."""
    return isinstance(tower, ViTTower | TextTower) and can_share(tower.transformer.resblocks)


def _check(tower: nn.Module) -> None:
    if not can_reduce(tower):
        raise ModelError(
            f"{type(tower).__name__} has no plain transformer blocks, of which alone it is known "
            "where float32 is needed. Compute in float32, or use autocast for this architecture."
        )
    inside = [name for name, part in getattr(tower, "tuning", {}).items() if part.folds]
    if inside:
        raise ModelError(
            f"The image tower has additions inside its blocks ({', '.join(inside)}), which would "
            "be rounded apart from what they add to. Merge the low-rank updates first."
        )
