"""Part features: what horizontal stripes of the image show (PCB, MGN)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.errors import ConfigError, ModelError, unknown_name
from promptreid.models.heads.branches import FinalNorm, copy_branch
from promptreid.models.heads.projection import fresh_linear
from promptreid.models.heads.stripes import check_rows, stripe_means
from promptreid.models.towers.image_tower import ImageFeatures, ImageTower
from promptreid.models.towers.vit import ViTTower

KINDS = ("pcb", "mgn")
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


class Parts(nn.Module):
    """What makes part features out of a tower's tokens.

    Attributes:
        kind: One of `KINDS`.
        widths: Sizes of the features it gives, by name and in their order.
    """

    kind: str
    widths: dict[str, int]

    def describe(self) -> dict[str, Any]:
        """Return the options of `build_parts`, JSON-ready."""
        raise NotImplementedError


class PCBParts(Parts):
    """One feature for each horizontal stripe (PCB: Sun et al., ECCV 2018).

    Rows of the last map, or of the patch grid after the final norm, are split into stripes; each
    stripe is averaged and reduced on its own. Of a vision transformer's final norm there is a copy,
    since the tower itself norms only the token it pools; it starts with the tower's weights. The
    features are `part1` (top), `part2`, ...
    """

    kind = "pcb"

    def __init__(
        self,
        tower: ImageTower,
        stripes: int = 6,
        width: int = 256,
        generator: torch.Generator | None = None,
    ) -> None:
        """Build the reductions for a tower that is fitted to its image size.

        Args:
            tower: Any image tower.
            stripes: Number of stripes, at least two.
            width: Size of each part feature.
            generator: Source of the initial weights; None for a generator with seed 0.

        Raises:
            ConfigError: A number is out of range.
            ModelError: The tower's grid has fewer rows than stripes.
        """
        super().__init__()
        _check_options(stripes, width)
        check_rows(tower, stripes)
        generator = generator or torch.Generator().manual_seed(0)
        self.stripes, self.width = stripes, width
        self.grid, self.prefix = tower.grid, _prefix(tower)
        self.norm = FinalNorm(tower) if isinstance(tower, ViTTower) else None
        self.widths = {f"part{number}": width for number in range(1, stripes + 1)}
        self.reductions = nn.ModuleDict(
            {
                name: PartReduction(tower.widths[1], width, generator=generator)
                for name in self.widths
            }
        )

    def forward(self, features: ImageFeatures) -> dict[str, Tensor]:
        """Return the (B, width) part features by name.

        Raises:
            ModelError: The features come without tokens, or their tokens are no such grid.
        """
        cells = self._cells(features)
        if self.norm is not None:
            cells = self.norm.tokens(cells)
        parts = stripe_means(cells, self.grid, self.stripes)
        if self.norm is not None:
            parts = self.norm.pooled(parts)
        return {
            name: reduce(part)
            for (name, reduce), part in zip(self.reductions.items(), parts.unbind(1), strict=True)
        }

    def describe(self) -> dict[str, Any]:
        """Return the options of `build_parts`, JSON-ready."""
        return {"kind": self.kind, "stripes": self.stripes, "width": self.width}

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

    kind = "mgn"

    def __init__(
        self, tower: ImageTower, width: int = 256, generator: torch.Generator | None = None
    ) -> None:
        """Copy the tower's last layer three times, with its present weights.

        Args:
            tower: A vision transformer or ResNet of CLIP's kind, fitted to its image size.
            width: Size of each feature.
            generator: Source of the initial reductions; None for a generator with seed 0.

        Raises:
            ConfigError: The width is below one.
            ModelError: The tower comes from timm, or has fewer than three rows.
        """
        super().__init__()
        _check_options(max(_MGN_STRIPES), width)
        self.branches = nn.ModuleList(copy_branch(tower, stripes) for stripes in _MGN_STRIPES)
        generator = generator or torch.Generator().manual_seed(0)
        self.width = width
        names = [f"global{number}" for number in range(1, len(_MGN_STRIPES) + 1)]
        local = sum(count for count in _MGN_STRIPES if count > 1)
        names += [f"part{number}" for number in range(1, local + 1)]
        self.widths = dict.fromkeys(names, width)
        self.reductions = nn.ModuleDict(
            {name: PartReduction(tower.widths[1], width, generator=generator) for name in names}
        )

    def forward(self, features: ImageFeatures) -> dict[str, Tensor]:
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
        found = [branch(features.before) for branch in self.branches]
        wholes = [whole for whole, *_ in found]
        parts = [part for _, *stripes in found for part in stripes]
        return wholes, parts

    def describe(self) -> dict[str, Any]:
        """Return the options of `build_parts`, JSON-ready."""
        return {"kind": self.kind, "width": self.width}


def build_parts(
    tower: ImageTower,
    *,
    kind: str,
    stripes: int = 6,
    width: int = 256,
    generator: torch.Generator | None = None,
) -> Parts:
    """Build part branches for a tower that is fitted to its image size.

    Args:
        tower: The image tower; MGN copies its last layer.
        kind: `pcb` or `mgn`.
        stripes: Stripes of PCB; MGN has two and three.
        width: Size of each feature.
        generator: Source of the initial reductions; None for a generator with seed 0.

    Raises:
        ConfigError: The kind is unknown or a number out of range.
        ModelError: The tower cannot have such branches.
    """
    if kind not in KINDS:
        raise ConfigError(unknown_name("kind of part branches", kind, KINDS))
    if kind == "pcb":
        return PCBParts(tower, stripes, width, generator)
    return MGNParts(tower, width, generator)


def _prefix(tower: ImageTower) -> int:
    """Count the tokens before the patches: class and register tokens."""
    if isinstance(tower, ViTTower):
        return 1
    trunk = getattr(tower, "trunk", None)
    return getattr(trunk, "num_prefix_tokens", 0)


def _check_options(stripes: int, width: int) -> None:
    if stripes < 2 or width < 1:
        raise ConfigError(
            f"Part features need at least 2 stripes and a width of 1, got {stripes} stripes of "
            f"width {width}."
        )
