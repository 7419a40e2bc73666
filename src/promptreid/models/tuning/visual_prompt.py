"""Visual prompt tuning: learned tokens among the tokens of an image (Jia et al., ECCV 2022)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.config.model import VisualPromptConfig
from promptreid.errors import ModelError
from promptreid.models.towers.image_tower import ImageTower
from promptreid.models.tuning.addition import TuningAddition


class VisualPrompt(TuningAddition):
    """Learned tokens between the class token and the patch tokens of a vision transformer.

    With x the class token, P the prompt and E the patch tokens, a shallow prompt enters the first
    block and is transformed with the rest: `[x1, Z1, E1] = L1([x0, P, E0])`. A deep prompt has
    tokens of its own for every block, which take the place of what the block before made of the
    last ones: `[x_i, _, E_i] = L_i([x_(i-1), P_(i-1), E_(i-1)])`. The tokens have no position
    embedding and enter after the norm that CLIP puts before its first block.

    Attributes:
        tokens: (1, count, width), or (blocks, count, width) when deep, drawn from U(-v, v) with
            v = sqrt(6 / (3 * patch^2 + width)).
    """

    Options = VisualPromptConfig
    options: VisualPromptConfig
    before_blocks = True

    def __init__(
        self,
        options: VisualPromptConfig,
        width: int,
        *,
        patch: int,
        blocks: int,
        generator: torch.Generator,
    ) -> None:
        """Draw the tokens for a transformer of a width, a side of its patches, and blocks."""
        super().__init__(options)
        bound = math.sqrt(6 / (3 * patch**2 + width))
        initial = torch.empty(blocks if options.deep else 1, options.tokens, width)
        self.tokens = nn.Parameter(initial.uniform_(-bound, bound, generator=generator))
        self.fresh = slice(1, 1 + options.tokens) if self.deep else None

    @classmethod
    def build(
        cls, tower: ImageTower, options: VisualPromptConfig, generator: torch.Generator
    ) -> VisualPrompt:
        """Draw tokens for a vision transformer; see `TuningAddition.build`."""
        if not tower.has_class_token:
            raise ModelError(
                "Visual prompt tokens stand beside the class token of CLIP's vision transformers; "
                f"a {type(tower).__name__} has no place for them. Leave tuning.visual_prompt out, "
                "use tuning.lora, or take a backbone such as ViT-B-16."
            )
        return cls(
            options,
            tower.widths[1],
            patch=tower.patch,
            blocks=tower.block_count,
            generator=generator,
        )

    @property
    def deep(self) -> bool:
        """Whether every block has its own tokens."""
        return self.tokens.shape[0] > 1

    def enter(self, tokens: Tensor, block: int, *, blocks: int, cells: int) -> Tensor:
        """Put the prompt among the tokens that enter a block; see `TuningAddition.enter`.

        (B, 1 + N, width) tokens of the first block become (B, 1 + count + N, width), those of
        later ones stay as many.
        """
        if block > 0 and not self.deep:
            return tokens
        rest = tokens[:, 1:] if block == 0 else tokens[:, 1 + self.tokens.shape[1] :]
        prompt = self.tokens[block].to(tokens.dtype).expand(tokens.shape[0], -1, -1)
        prompt = F.dropout(prompt, self.options.dropout, self.training)
        return torch.cat([tokens[:, :1], prompt, rest], dim=1)

    def leave(self, tokens: Tensor) -> Tensor:
        """Take the prompt out: (B, 1 + count + N, width) to (B, 1 + N, width)."""
        return torch.cat([tokens[:, :1], tokens[:, 1 + self.tokens.shape[1] :]], dim=1)
