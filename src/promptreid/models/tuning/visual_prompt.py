"""Visual prompt tuning: learned tokens among the tokens of an image (Jia et al., ECCV 2022)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class VisualPrompt(nn.Module):
    """Learned tokens between the class token and the patch tokens of a vision transformer.

    With x the class token, P the prompt and E the patch tokens, a shallow prompt enters the first
    block and is transformed with the rest: `[x1, Z1, E1] = L1([x0, P, E0])`. A deep prompt has
    tokens of its own for every block, which take the place of what the block before made of the
    last ones: `[x_i, _, E_i] = L_i([x_(i-1), P_(i-1), E_(i-1)])`. The tokens have no position
    embedding and enter after the norm that CLIP puts before its first block.

    Attributes:
        tokens: (1, count, width), or (blocks, count, width) when deep, drawn from U(-v, v) with
            v = sqrt(6 / (3 * patch^2 + width)).
        dropout: Probability with which each entry is dropped, per image, in training mode.
    """

    def __init__(
        self,
        width: int,
        *,
        patch: int,
        blocks: int,
        tokens: int = 5,
        deep: bool = False,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        """Draw the tokens.

        Args:
            width: Size of the transformer's tokens.
            patch: Side of its patches in pixels, which sets the scale of the initial tokens.
            blocks: Number of its blocks.
            tokens: Prompt tokens at a block.
            deep: Whether every block has its own.
            dropout: Probability of dropping an entry.
            generator: Source of the initial tokens; None for a generator with seed 0.
        """
        super().__init__()
        generator = generator or torch.Generator().manual_seed(0)
        bound = math.sqrt(6 / (3 * patch**2 + width))
        initial = torch.empty(blocks if deep else 1, tokens, width)
        self.tokens = nn.Parameter(initial.uniform_(-bound, bound, generator=generator))
        self.dropout = dropout

    @property
    def deep(self) -> bool:
        """Whether every block has its own tokens."""
        return self.tokens.shape[0] > 1

    def enter(self, x: Tensor, block: int) -> Tensor:
        """Put the prompt among the tokens that enter a block.

        Args:
            x: (B, 1 + N, width) for the first block, (B, 1 + count + N, width) for later ones.
            block: Index of the block.

        Returns:
            (B, 1 + count + N, width).
        """
        if block > 0 and not self.deep:
            return x
        rest = x[:, 1:] if block == 0 else x[:, 1 + self.tokens.shape[1] :]
        prompt = self.tokens[block].to(x.dtype).expand(x.shape[0], -1, -1)
        prompt = F.dropout(prompt, self.dropout, self.training)
        return torch.cat([x[:, :1], prompt, rest], dim=1)

    def leave(self, x: Tensor) -> Tensor:
        """Take the prompt out: (B, 1 + count + N, width) to (B, 1 + N, width)."""
        return torch.cat([x[:, :1], x[:, 1 + self.tokens.shape[1] :]], dim=1)
