"""Stripes of a tower's grid of cells, and branches with own copies of its last block or layer."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

from promptreid.errors import ModelError
from promptreid.models.towers.blocks import run_block, run_block_at
from promptreid.models.towers.image_tower import ImageTower
from promptreid.models.towers.resnet import ResNetTower
from promptreid.models.towers.vit import ViTTower
from promptreid.models.tuning.lora import fold_updates

M = TypeVar("M", bound=nn.Module)


def average_stripes(cells: Tensor, grid: tuple[int, int], stripes: int) -> Tensor:
    """Average horizontal stripes of a grid of cells.

    Stripe i of S has the rows from floor(i R / S) up to floor((i + 1) R / S) of R rows, so every
    row belongs to exactly one stripe and the stripes' heights differ by at most one row.

    Args:
        cells: (B, R*columns, D) in reading order.
        grid: Rows and columns, at least as many rows as stripes.
        stripes: Number of stripes.

    Returns:
        (B, stripes, D), from the top.
    """
    rows = grid[0]
    by_row = cells.unflatten(1, grid)
    bounds = [number * rows // stripes for number in range(stripes + 1)]
    means = [by_row[:, top:end].mean(dim=(1, 2)) for top, end in pairwise(bounds)]
    return torch.stack(means, dim=1)


def check_rows(tower: ImageTower, stripes: int) -> None:
    """Raise `ModelError` when a tower's grid has fewer rows than stripes."""
    rows, columns = tower.grid
    if rows < stripes:
        height, width = tower.image_size
        raise ModelError(
            f"{stripes} stripes need at least {stripes} rows of patches, but images of "
            f"{height}x{width} with stride {tower.stride} give {rows}x{columns} patches. Take "
            "higher images, a smaller stride or fewer stripes."
        )


class FinalNorm(nn.Module):
    """Own copy of a vision transformer's final norm, at the place where the tower applies it."""

    def __init__(self, tower: ViTTower) -> None:
        """Copy the norm with its weights."""
        super().__init__()
        self.ln_post = copy_module(tower.ln_post)
        self.after_pool = tower.norm_after_pool

    def tokens(self, tokens: Tensor) -> Tensor:
        """Norm (…, D) tokens before they are averaged, if the tower norms there."""
        return tokens if self.after_pool else self.ln_post(tokens)

    def pooled(self, feature: Tensor) -> Tensor:
        """Norm (…, D) averages of tokens, if the tower norms there."""
        return self.ln_post(feature) if self.after_pool else feature


class ViTBranch(nn.Module):
    """Last block and final norm of a vision transformer, copied with their weights."""

    def __init__(self, tower: ViTTower, stripes: int) -> None:
        """Copy the weights."""
        super().__init__()
        self.stripes, self.grid, self.pool = stripes, tower.grid, tower.pool
        self.block = copy_module(tower.transformer.resblocks[-1])
        self.norm = FinalNorm(tower)

    def forward(self, before: Tensor) -> list[Tensor]:
        """Return the feature of the whole image, then those of the stripes if there are several.

        The first is what the tower calls `final`.

        Args:
            before: (B, N, D) tokens that enter the last block, patches last.

        Returns:
            (B, D) features.
        """
        if self.stripes == 1 and self.pool == "tok":
            return [self.norm.pooled(self.norm.tokens(run_block_at(self.block, before, 0)))]
        tokens = self.norm.tokens(run_block(self.block, before))
        cells = tokens[:, -self.grid[0] * self.grid[1] :]
        whole = tokens[:, 0] if self.pool == "tok" else cells.mean(dim=1)
        features = [whole]
        if self.stripes > 1:
            features += average_stripes(cells, self.grid, self.stripes).unbind(1)
        return [self.norm.pooled(feature) for feature in features]


class ResNetBranch(nn.Module):
    """Layer4 of a CLIP ResNet, copied with its weights and running statistics."""

    def __init__(self, tower: ResNetTower, stripes: int) -> None:
        """Copy the weights."""
        super().__init__()
        self.stripes, self.grid = stripes, tower.grid
        self.layer4 = copy_module(tower.layer4)

    def forward(self, before: Tensor) -> list[Tensor]:
        """Return features as `ViTBranch.forward`, of the (B, C, rows, columns) map of layer3."""
        cells = self.layer4(before).flatten(2).transpose(1, 2)
        whole = cells.mean(dim=1)
        if self.stripes == 1:
            return [whole]
        return [whole, *average_stripes(cells, self.grid, self.stripes).unbind(1)]


def copy_branch(tower: ImageTower, stripes: int) -> ViTBranch | ResNetBranch:
    """Copy the last block or layer of a tower, to look at one or more stripes.

    Raises:
        ModelError: The tower comes from timm, whose last stages differ from model to model, or has
            fewer rows than stripes.
    """
    check_rows(tower, stripes)
    if isinstance(tower, ViTTower):
        return ViTBranch(tower, stripes)
    if isinstance(tower, ResNetTower):
        return ResNetBranch(tower, stripes)
    raise ModelError(
        "Branches with their own last layer (parts.kind: mgn) are for CLIP's vision transformers "
        f"and ResNets; {type(tower).__name__} takes its encoder from timm. Take parts.kind: pcb, "
        "or another backbone."
    )


def copy_module(module: M) -> M:
    """Copy a module as it computes now, all of its parameters learning.

    Updates that are attached to its parameters (LoRA) are folded in: the copy learns as a whole.
    """
    twin = copy.deepcopy(module)
    fold_updates(twin)
    return twin.requires_grad_(True)
