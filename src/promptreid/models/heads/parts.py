"""Part features: what horizontal stripes of the image show (PCB, MGN)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.config.model import PartsConfig
from promptreid.errors import ModelError
from promptreid.models.heads.branches import FinalNorm, average_stripes, check_rows, copy_branch
from promptreid.models.heads.fresh_layers import fresh_linear
from promptreid.models.heads.head_part import HeadPart
from promptreid.models.towers.image_tower import ImageFeatures, ImageTower
from promptreid.models.towers.vit import ViTTower

_MGN_STRIPES = (1, 2, 3)


class PartReduction(nn.Module):
    """Linear layer, batch norm and ReLU that make a part feature small, as PCB and MGN do."""

    def __init__(self, inputs: int, width: int, *, generator: torch.Generator) -> None:
        """Build the layers; a bias would be lost in the batch norm, so there is none."""
        super().__init__()
        self.linear = fresh_linear(inputs, width, bias=False, generator=generator)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, feature: Tensor) -> Tensor:
        """Reduce (B, inputs) features to (B, width)."""
        return F.relu(self.norm(self.linear(feature)))


class Parts(HeadPart):
    """Makes part features out of a tower's tokens; `options.kind` says which."""

    options: PartsConfig
    needs_tokens = True

    @abstractmethod
    def __init__(self, options: PartsConfig, tower: ImageTower, generator: torch.Generator) -> None:
        """Build the layers for a tower that is fitted to its image size."""
        super().__init__(options)

    def _build_reductions(self, tower: ImageTower, generator: torch.Generator) -> nn.ModuleDict:
        """Build a reduction for each feature, and note their widths."""
        self.widths = dict.fromkeys(self.options.names, self.options.width)
        return nn.ModuleDict(
            {
                name: PartReduction(tower.widths[1], width, generator=generator)
                for name, width in self.widths.items()
            }
        )


class PCBParts(Parts):
    """One feature for each horizontal stripe (PCB: Sun et al., ECCV 2018).

    Rows of the last map, or of the patch grid after the final norm, are split into stripes; each
    stripe is averaged and reduced on its own. Of a vision transformer's final norm there is a copy,
    since the tower itself norms only the token it pools; it starts with the tower's weights. The
    features are `part1` (top), `part2`, ...
    """

    def __init__(self, options: PartsConfig, tower: ImageTower, generator: torch.Generator) -> None:
        """Build the reductions for any image tower that is fitted to its image size.

        Raises:
            ModelError: The tower's grid has fewer rows than stripes.
        """
        super().__init__(options, tower, generator)
        check_rows(tower, options.stripes)
        self.grid, self.prefix = tower.grid, tower.prefix_tokens
        self.norm = FinalNorm(cast(ViTTower, tower)) if tower.has_class_token else None
        self.reductions = self._build_reductions(tower, generator)

    def forward(
        self, features: ImageFeatures, derived: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Return the (B, width) part features by name.

        Raises:
            ModelError: The features come without tokens, or their tokens are no such grid.
        """
        cells = self._cells(features)
        if self.norm is not None:
            cells = self.norm.tokens(cells)
        parts = average_stripes(cells, self.grid, self.options.stripes)
        if self.norm is not None:
            parts = self.norm.pooled(parts)
        return {
            name: reduce(part)
            for (name, reduce), part in zip(self.reductions.items(), parts.unbind(1), strict=True)
        }

    def _cells(self, features: ImageFeatures) -> Tensor:
        if features.tokens is None:
            raise ModelError(
                "Part features need the tower's tokens. Call the image tower with tokens=True."
            )
        rows, columns = self.grid
        count = features.tokens.shape[1]
        if count != self.prefix + rows * columns:
            raise ModelError(
                f"Part features need a grid of {rows}x{columns} patches, but the image tower gives "
                f"{count} tokens, {self.prefix} of them no patches. Take a backbone whose tokens "
                "are a grid, or another image_size."
            )
        return features.tokens[:, self.prefix :]


class MGNParts(Parts):
    """Three branches that look at one, two and three stripes (MGN: Wang et al., ACM MM 2018).

    Each branch has its own copy of the tower's last block and final norm (vision transformers) or
    of layer4 (ResNets). Its whole-image feature, pooled as the tower pools `final`, gives `global1`
    to `global3`; the stripes of the second branch give `part1` and `part2`, those of the third
    `part3` to `part5`; each is reduced on its own. Against the publication, features are averaged
    instead of max-pooled and the first branch keeps the tower's stride, so that every branch starts
    as the pretrained tower. Tokens of a visual prompt stay in the tower and do not enter the
    branches.
    """

    def __init__(self, options: PartsConfig, tower: ImageTower, generator: torch.Generator) -> None:
        """Copy the tower's last layer three times, with its present weights; build the reductions.

        Raises:
            ModelError: The tower comes from timm, or has fewer than three rows.
        """
        super().__init__(options, tower, generator)
        self.branches = nn.ModuleList(copy_branch(tower, stripes) for stripes in _MGN_STRIPES)
        self.reductions = self._build_reductions(tower, generator)

    def forward(
        self, features: ImageFeatures, derived: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Return the (B, width) global and part features by name.

        Raises:
            ModelError: The features come without tokens.
        """
        wholes, parts = self.unreduced(features)
        return {
            name: reduce(feature)
            for (name, reduce), feature in zip(
                self.reductions.items(), [*wholes, *parts], strict=True
            )
        }

    def unreduced(self, features: ImageFeatures) -> tuple[list[Tensor], list[Tensor]]:
        """Return the three global and five part features before their reduction, (B, D) each."""
        if features.before is None:
            raise ModelError(
                "Branches need what enters the tower's last layer. Call the image tower with "
                "tokens=True."
            )
        by_branch = [branch(features.before) for branch in self.branches]
        wholes = [whole for whole, *_ in by_branch]
        parts = [part for _, *stripes in by_branch for part in stripes]
        return wholes, parts


PARTS_KINDS: Mapping[str, type[Parts]] = MappingProxyType({"pcb": PCBParts, "mgn": MGNParts})
"""Part branches by `head.parts.kind` of a recipe."""


def build_parts(
    options: PartsConfig,
    widths: Mapping[str, int],
    tower: ImageTower | None,
    generator: torch.Generator,
) -> Parts:
    """Build the branches of the options' kind; see `HeadPart`."""
    if tower is None:
        raise ValueError("part features are made of the tokens of a tower; give `tower`")
    return PARTS_KINDS[options.kind](options, tower, generator)
