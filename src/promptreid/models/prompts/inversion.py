"""Textual inversion: a word for each image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.errors import ConfigError
from promptreid.models.heads.fresh_layers import fresh_linear


class InversionNetwork(nn.Module):
    """Three-layer perceptron from an image feature to a word embedding (PromptSG, CVPR 2024).

    linear - ReLU - linear - ReLU - linear - batch norm. The paper states the three layers, the
    hidden width and the norm after the last; the activation is the one its re-implementations take.
    The last layer has no bias, since the norm would take it away.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        *,
        hidden: int = 512,
        generator: torch.Generator | None = None,
    ) -> None:
        """Build the layers from image features of size `inputs` to words of size `width`.

        Weights are drawn from the generator; None for a generator with seed 0.

        Raises:
            ConfigError: A size is below one.
        """
        super().__init__()
        if min(inputs, width, hidden) < 1:
            raise ConfigError(
                "The network that computes a word needs sizes of at least 1, got "
                f"{inputs} inputs, hidden width {hidden} and word width {width}. Set prompt.hidden "
                "to 512 or another positive number."
            )
        generator = generator or torch.Generator().manual_seed(0)
        self.first = fresh_linear(inputs, hidden, generator=generator)
        self.second = fresh_linear(hidden, hidden, generator=generator)
        self.third = fresh_linear(hidden, width, bias=False, generator=generator)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, projected: Tensor) -> Tensor:
        """Compute pseudo-words.

        Args:
            projected: (B, inputs) image features in the joint space, not normalised.

        Returns:
            (B, width) word embeddings, positions not added.
        """
        x = F.relu(self.second(F.relu(self.first(projected))))
        return self.norm(self.third(x))
