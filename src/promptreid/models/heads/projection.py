"""Layers that turn one feature into a smaller one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.errors import ConfigError, unknown_name


def fresh_linear(
    inputs: int, outputs: int, *, bias: bool = True, generator: torch.Generator
) -> nn.Linear:
    """Build a linear layer with PyTorch's usual initialisation, drawn from a generator.

    Weights and biases are uniform in +-1/sqrt(inputs).
    """
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias)
    bound = 1 / math.sqrt(inputs)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return layer


class Mlp(nn.Module):
    """Two-layer projection, linear - ReLU - linear (SimCLR: Chen et al., ICML 2020).

    Attributes:
        of: Name of the feature it reads.
        width: Size of the feature it gives.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        *,
        of: str = "final",
        hidden: int | None = None,
        width: int = 128,
        generator: torch.Generator | None = None,
    ) -> None:
        """Build the layers.

        Args:
            widths: Sizes of the image tower's features.
            of: Which of them is projected.
            hidden: Size between the layers; None for that of the input.
            width: Size of the result.
            generator: Source of the initial weights; None for a generator with seed 0.

        Raises:
            ConfigError: The tower gives no such feature, or a size is below one.
        """
        super().__init__()
        inputs = _input_size(widths, of)
        hidden = inputs if hidden is None else hidden
        _check_sizes(hidden=hidden, width=width)
        generator = generator or torch.Generator().manual_seed(0)
        self.of, self.hidden, self.width = of, hidden, width
        self.first = fresh_linear(inputs, hidden, generator=generator)
        self.second = fresh_linear(hidden, width, generator=generator)

    def forward(self, feature: Tensor) -> Tensor:
        """Project (B, inputs) features to (B, width)."""
        return self.second(F.relu(self.first(feature)))

    def describe(self) -> dict[str, Any]:
        """Return the options to rebuild this layer, JSON-ready."""
        return {"of": self.of, "hidden": self.hidden, "width": self.width}


class Reduction(nn.Module):
    """Linear reduction of a feature.

    Attributes:
        of: Name of the feature it reads.
        width: Size of the feature it gives.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        *,
        of: str = "projected",
        width: int = 256,
        generator: torch.Generator | None = None,
    ) -> None:
        """Build the layer; arguments and errors as in `Mlp`."""
        super().__init__()
        inputs = _input_size(widths, of)
        _check_sizes(width=width)
        generator = generator or torch.Generator().manual_seed(0)
        self.of, self.width = of, width
        self.linear = fresh_linear(inputs, width, generator=generator)

    def forward(self, feature: Tensor) -> Tensor:
        """Reduce (B, inputs) features to (B, width)."""
        return self.linear(feature)

    def describe(self) -> dict[str, Any]:
        """Return the options to rebuild this layer, JSON-ready."""
        return {"of": self.of, "width": self.width}


def _input_size(widths: Mapping[str, int], of: str) -> int:
    if of not in widths:
        raise ConfigError(unknown_name("feature of the image tower", of, widths))
    return widths[of]


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ConfigError(f"The {name} of a projection must be at least 1, got {size}.")
