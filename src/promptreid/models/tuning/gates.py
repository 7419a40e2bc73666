"""Groups of channels: a linear layer for each, and what says how much each counts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from promptreid.models.heads.fresh_layers import draw_uniformly


class GroupLinear(nn.Module):
    """A linear layer of its own for each group of channels, on whatever has channels last.

    Attributes:
        weight: (groups, C / groups, C / groups), output channels first.
        bias: (C,).
    """

    def __init__(
        self, groups: int, width: int, *, generator: torch.Generator | None = None
    ) -> None:
        """Draw uniformly in +-1/sqrt(C / groups) as PyTorch does; zeros without a generator."""
        super().__init__()
        size = width // groups
        self.weight = nn.Parameter(torch.zeros(groups, size, size))
        self.bias = nn.Parameter(torch.zeros(width))
        if generator is not None:
            draw_uniformly(self.weight, size, generator)
            draw_uniformly(self.bias, size, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C), group by group."""
        groups, size, _ = self.weight.shape
        grouped = torch.einsum("...gi,goi->...go", x.unflatten(-1, (groups, size)), self.weight)
        return grouped.flatten(-2) + self.bias


class MeanGate(nn.Module):
    """One number per image and group, read off the group's mean: sigmoid(w . mean + b)."""

    def __init__(self, groups: int, width: int, *, generator: torch.Generator) -> None:
        """Draw w as a linear layer's; b is zero, so that groups begin about half open."""
        super().__init__()
        size = width // groups
        self.weight = nn.Parameter(torch.empty(groups, size))
        self.bias = nn.Parameter(torch.zeros(groups))
        draw_uniformly(self.weight, size, generator)

    def forward(self, grouped: Tensor, cells: Tensor) -> Tensor:
        """Weigh groups.

        Args:
            grouped: (B, L, groups, C / groups) what is weighed.
            cells: (B, N, groups, C / groups) those of it that are read.

        Returns:
            (B, 1, groups).
        """
        scores = (cells.mean(dim=1, keepdim=True) * self.weight).sum(dim=-1)
        return torch.sigmoid(scores + self.bias)


class SpatialGate(nn.Module):
    """One number per token and group: how much the token is like its group's mean.

    The products of a group's tokens with the group's mean are brought to mean 0 and deviation 1
    over the cells of an image, and scaled and shifted before the sigmoid (SGE: Li et al.,
    arXiv:1905.09646).

    Attributes:
        scale: (groups,), zero at first.
        shift: (groups,), one at first.
    """

    def __init__(self, groups: int, width: int, *, generator: torch.Generator) -> None:
        """Nothing is drawn: every token of every group begins equally open."""
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(groups))
        self.shift = nn.Parameter(torch.ones(groups))

    def forward(self, grouped: Tensor, cells: Tensor) -> Tensor:
        """Weigh groups of tokens; arguments as in `MeanGate.forward`, returns (B, L, groups)."""
        mean = cells.mean(dim=1, keepdim=True)
        products, products_of_cells = ((x * mean).sum(dim=-1) for x in (grouped, cells))
        spread, center = torch.std_mean(products_of_cells, dim=1, correction=0, keepdim=True)
        return torch.sigmoid(self.scale * (products - center) / (spread + 1e-5) + self.shift)


class ConstantGate(nn.Module):
    """One learned number per group, the same for all images, from N(0, 1) (AFEM of CLIP-SENet)."""

    def __init__(self, groups: int, width: int, *, generator: torch.Generator) -> None:
        """Draw the numbers."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(groups, generator=generator))

    def forward(self, grouped: Tensor, cells: Tensor) -> Tensor:
        """Weigh groups; arguments as in `MeanGate.forward`, returns (groups,)."""
        return self.weight


Gate = MeanGate | SpatialGate | ConstantGate

GATES: Mapping[str, type[Gate]] = MappingProxyType(
    {"mean": MeanGate, "spatial": SpatialGate, "constant": ConstantGate}
)
