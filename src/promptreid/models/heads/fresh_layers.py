"""Fresh weights and linear layers drawn from a generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def draw_uniformly(weights: Tensor, inputs: int, generator: torch.Generator) -> None:
    """Fill weights, in place, from a uniform distribution in +-1/sqrt(inputs)."""
    bound = 1 / math.sqrt(inputs)
    with torch.no_grad():
        weights.uniform_(-bound, bound, generator=generator)


def fresh_linear(
    inputs: int, outputs: int, *, bias: bool = True, generator: torch.Generator
) -> nn.Linear:
    """Build a linear layer whose weights and biases are drawn as PyTorch draws them."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias)
    for parameter in layer.parameters():
        draw_uniformly(parameter, inputs, generator)
    return layer
