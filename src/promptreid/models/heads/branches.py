"""Own copies of an image tower's last block or layer, for heads with several branches."""

from __future__ import annotations

import copy
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from promptreid.errors import ModelError
from promptreid.models.heads.stripes import check_rows, stripe_means
from promptreid.models.towers.blocks import run_block, run_block_at
from promptreid.models.towers.image_tower import ImageTower
from promptreid.models.towers.resnet import ResNetTower
from promptreid.models.towers.vit import ViTTower

M = TypeVar("M", bound=nn.Module)


class FinalNorm(nn.Module):
    """Own copy of a vision transformer's final norm, at the place where the tower applies it."""

    def __init__(self, tower: ViTTower) -> None:
        """Copy the norm with its weights."""
        super().__init__()
        self.ln_post = own_copy(tower.ln_post)
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
        self.block = own_copy(tower.transformer.resblocks[-1])
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
            features += stripe_means(cells, self.grid, self.stripes).unbind(1)
        return [self.norm.pooled(feature) for feature in features]


class ResNetBranch(nn.Module):
    """Layer4 of a CLIP ResNet, copied with its weights and running statistics."""

    def __init__(self, tower: ResNetTower, stripes: int) -> None:
        """Copy the weights."""
        super().__init__()
        self.stripes, self.grid = stripes, tower.grid
        self.layer4 = own_copy(tower.layer4)

    def forward(self, before: Tensor) -> list[Tensor]:
        """Return features as `ViTBranch.forward`, of the (B, C, rows, columns) map of layer3."""
        cells = self.layer4(before).flatten(2).transpose(1, 2)
        whole = cells.mean(dim=1)
        if self.stripes == 1:
            return [whole]
        return [whole, *stripe_means(cells, self.grid, self.stripes).unbind(1)]


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
        f"Branches with their own last layer (parts.kind: mgn) are for CLIP's vision transformers "
        f"and ResNets; {type(tower).__name__} takes its encoder from timm. Take parts.kind: pcb, "
        "or another backbone."
    )


def own_copy(module: M) -> M:
    """Copy a module as it computes now, all of its parameters learning.

    Updates that are attached to its parameters (LoRA) are folded in: the copy learns as a whole.
    """
    twin = copy.deepcopy(module)
    for part in list(twin.modules()):
        if parametrize.is_parametrized(part):
            _fold(part)
    return twin.requires_grad_(True)


def _fold(part: nn.Module) -> None:
    """Replace parametrized tensors of a copy by plain parameters.

    A copy shares the class that its original was given for its parametrizations, so PyTorch's own
    removal, which edits that class, would break the original.
    """
    chains = cast(nn.ModuleDict, part.parametrizations)
    values = {name: _value(cast(parametrize.ParametrizationList, c)) for name, c in chains.items()}
    del part.parametrizations
    part.__class__ = parametrize.type_before_parametrizations(part)
    # Weights stand before biases, as they did: the order of parameters decides last bits of a norm.
    biases = dict(part.named_parameters(recurse=False))
    for name in biases:
        delattr(part, name)
    for name, value in (values | biases).items():
        part.register_parameter(name, nn.Parameter(value))


@torch.no_grad()
def _value(chain: parametrize.ParametrizationList) -> Tensor:
    """Return what a parametrized tensor is; of a tower that waits for its weights, the shape."""
    original = chain.original
    return torch.empty_like(original) if original.is_meta else chain().clone()
