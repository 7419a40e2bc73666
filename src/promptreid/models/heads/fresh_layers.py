"""Linear layers with fresh weights drawn from a generator."""

from __future__ import annotations

import math

import torch
from torch import nn


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
