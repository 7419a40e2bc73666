"""Semantic Grouping Adapter: regroup the channels of an image's last tokens (MTA-CLIP)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.config.model import AdapterConfig
from promptreid.errors import ModelError
from promptreid.models.heads.fresh_layers import fresh_linear
from promptreid.models.towers.image_tower import ImageTower
from promptreid.models.tuning.addition import TuningAddition
from promptreid.models.tuning.gates import GATES, GroupLinear


class SemanticGroupingAdapter(TuningAddition):
    """A residual of two streams over tokens X, Y = X + Delta, which at first is exactly zero.

    With N = LayerNorm(X), M the mean of N over the cells (patches, or cells of a map), and linear
    layers "groupwise" within each of G groups of channels::

        U     = GELU(groupwise_in(N))
        group = groupwise_out(s * U)               s: gate of each group, see `GATES`
        whole = W2 GELU(W1 M)                      the same for all tokens
        Delta = a0 * group + a1 * whole            (a0, a1) = softmax(balance)

    Only groupwise_out and W2 start at zero, and nothing else multiplies them: their first gradient
    is not zero, and all that lies behind them learns from the second step on.

    After the last block of a vision transformer nobody reads the patches, so a rule says how the
    class token hears of them:

    - "mean": it gets the mean of Delta over the patches;
    - "all": it passes through the adapter as the patches do, with their M and gate;
    - "before": the adapter stands before the last block, whose attention reads the patches;
    - "pooled": it is averaged with the mean of the patches, half and half. Of the four, only this
      rule changes the features of an adapter that has learned nothing.

    The publication names the parts without sizes; layers and defaults here are this project's.

    Attributes:
        gate: Weighs the groups.
        balance: (2,), or (2, G) with a pair for each group, zero at first.
    """

    Options = AdapterConfig
    options: AdapterConfig
    draws_maps = True

    def __init__(self, options: AdapterConfig, width: int, *, generator: torch.Generator) -> None:
        """Build the layers for tokens of `width` channels C, with weights of a generator.

        Raises:
            ModelError: The groups do not divide the width, or the ratio leaves nothing of it.
        """
        super().__init__(options)
        groups, ratio = options.groups, options.ratio
        _check_sizes(width, groups, ratio)
        self.adapts = options.class_token != "before"
        self.norm = nn.LayerNorm(width)
        self.group_in = GroupLinear(groups, width, generator=generator)
        self.gate = GATES[options.gate](groups, width, generator=generator)
        self.group_out = GroupLinear(groups, width)
        self.squeeze = fresh_linear(width, width // ratio, generator=generator)
        self.expand = _zero_linear(width // ratio, width)
        pairs = (2, groups) if options.fusion == "group" else (2,)
        self.balance = nn.Parameter(torch.zeros(*pairs))

    @classmethod
    def build(
        cls, tower: ImageTower, options: AdapterConfig, generator: torch.Generator
    ) -> SemanticGroupingAdapter:
        """Build an adapter for one of CLIP's own towers; see `TuningAddition.build`."""
        if not tower.adaptable:
            raise ModelError(
                "The adapter changes the last tokens of CLIP's vision transformers and ResNets; "
                f"{type(tower).__name__} takes its encoder from timm. Leave tuning.adapter out, "
                "use tuning.lora, or take a backbone such as ViT-B-16."
            )
        if not tower.has_class_token and options.class_token != "mean":
            raise ModelError(
                f"tuning.adapter.class_token is {options.class_token}, but a ResNet has no class "
                "token: its pooling reads every cell that the adapter changes. Leave class_token "
                "out."
            )
        return cls(options, tower.widths[1], generator=generator)

    def enter(self, tokens: Tensor, block: int, *, blocks: int, cells: int) -> Tensor:
        """Adapt the tokens that enter the last block, with the rule "before"."""
        if self.adapts or block != blocks - 1:
            return tokens
        return self(tokens, leading=tokens.shape[1] - cells)

    def adapt(self, tokens: Tensor, *, leading: int) -> Tensor:
        """Adapt the tokens that leave the last block, but with the rule "before"."""
        return self(tokens, leading=leading) if self.adapts else tokens

    def forward(self, tokens: Tensor, *, leading: int = 0) -> Tensor:
        """Adapt tokens.

        Args:
            tokens: (B, leading + N, C), the N cells last.
            leading: Tokens before the cells: none of a map; the class token; with the rule "before"
                any number, which stay as they are.

        Returns:
            (B, leading + N, C).
        """
        if leading == 0 or self.options.class_token == "all":
            return tokens + self.change(tokens, leading=leading).to(tokens.dtype)
        first, cells = tokens[:, :leading], tokens[:, leading:]
        change = self.change(cells).to(tokens.dtype)
        cells = cells + change
        if self.options.class_token == "mean":
            first = first + change.mean(dim=1, keepdim=True)
        elif self.options.class_token == "pooled":
            first = (first + cells.mean(dim=1, keepdim=True)) / 2
        return torch.cat([first, cells], dim=1)

    def change(self, tokens: Tensor, *, leading: int = 0) -> Tensor:
        """Return Delta for (B, leading + N, C) tokens; M and gates are read off the last N."""
        normed = self.norm(tokens)
        pair = self.balance.softmax(dim=0)
        if pair.ndim == 2:
            pair = pair.repeat_interleave(tokens.shape[-1] // self.options.groups, dim=1)
        mean = normed[:, leading:].mean(dim=1, keepdim=True)
        whole = self.expand(F.gelu(self.squeeze(mean)))
        return pair[0] * self.group_stream(normed, leading=leading) + pair[1] * whole

    def group_stream(self, normed: Tensor, *, leading: int = 0) -> Tensor:
        """Transform and weigh each group of (B, leading + N, C) normed tokens."""
        shape = (self.options.groups, normed.shape[-1] // self.options.groups)
        inner = F.gelu(self.group_in(normed)).unflatten(-1, shape)
        gate = self.gate(inner, inner[:, leading:])
        return self.group_out((inner * gate.unsqueeze(-1)).flatten(-2))

    def maps(self, tokens: Tensor, *, leading: int = 0) -> Tensor:
        """Return the length of each group's part of Delta at each cell, (B, N, G).

        The (B, leading + N, C) tokens are what enters the adapter.
        """
        cells = self.change(tokens[:, leading:])
        return cells.float().unflatten(-1, (self.options.groups, -1)).norm(dim=-1)


def _zero_linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _check_sizes(width: int, groups: int, ratio: int) -> None:
    if width % groups:
        fitting = ", ".join(str(n) for n in (1, 2, 4, 8, 16, 32, 48, 64, 128) if width % n == 0)
        raise ModelError(
            f"tuning.adapter.groups is {groups}, but the image tower's tokens have {width} "
            f"channels, which {groups} groups do not divide. Take for example one of {fitting}."
        )
    if ratio > width:
        raise ModelError(
            f"tuning.adapter.ratio is {ratio}, which leaves nothing of the {width} channels of the "
            f"image tower's tokens. Take 1 to {width}, usually 16."
        )
