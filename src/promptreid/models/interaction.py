"""Interaction of a sentence with the patches of an image (PromptSG)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch import Tensor, nn

from promptreid.config.model import InteractionConfig
from promptreid.errors import ConfigError, ModelError, unknown_name
from promptreid.models.model_part import ModelPart
from promptreid.models.towers.blocks import run_block, run_block_at

MODES = ("value", "weight", "single")


@dataclass(frozen=True)
class Fused:
    """What the sentence and the image give together.

    Attributes:
        feature: (B, D), not normalised.
        attention: (B, heads, N) how much the sentence looks at each token; rows sum to one, and
            [:, :, 1:] is the map over the patches.
    """

    feature: Tensor
    attention: Tensor


class Interaction(ModelPart):
    """Cross-attention from a sentence to image tokens, then transformer blocks (Yang et al., 2024).

    With T the (N, D) tokens, l the text, h heads of size d = D / h:
    a_h = softmax((W_Q LN(l))_h (W_K LN(T))_h^T / sqrt(d)). The paper does not fix what follows;
    these are its readings, each with `blocks` pre-norm transformer blocks and a norm after them:

    - "value": the sequence is re-weighted, H = T + W_O concat_h(N a_h[n] V_h[n]) with
      V = W_V LN(T). W_O starts at zero, so that H = T at first.
    - "weight": the M patches are scaled by M mean_h a_h[n], where a_h is over the patches alone;
      the class token stays. No value or output projection.
    - "single": one token, H = W_O concat_h(sum_n a_h[n] V_h[n]), plus l with `residual`. In the
      blocks it sees nothing but itself.

    The feature is the first token after the blocks and the norm. No projection has a bias: that of
    the keys could not matter under the softmax.

    Attributes:
        width: Size D of tokens and text.
        heads: Number of heads.
    """

    Options = InteractionConfig
    options: InteractionConfig

    def __init__(
        self,
        options: InteractionConfig,
        width: int,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        """Build the layers for tokens and text of a width in the joint space.

        Weights are drawn from the generator; None for a generator with seed 0.

        Raises:
            ConfigError: There is no mode, the heads do not divide the width, or an option does not
                go with the mode.
        """
        super().__init__(options)
        mode, blocks = options.mode, options.blocks
        heads = options.heads or max(1, width // 64)
        _check_options(options, width, heads)
        generator = generator or torch.Generator().manual_seed(0)
        self.width, self.mode, self.heads = width, mode, heads
        self.norm_text = nn.LayerNorm(width)
        # A shift of the keys alone would change nothing, so without values it is left out.
        self.norm_tokens = nn.LayerNorm(width, bias=mode != "weight")
        self.query = _projection(width, width**-0.5, generator)
        self.key = _projection(width, width**-0.5, generator)
        self.value = self.output = None
        if mode != "weight":
            self.value = _projection(width, width**-0.5, generator)
            start = 0.0 if mode == "value" else _output_std(width, blocks)
            self.output = _projection(width, start, generator)
        self.blocks = nn.ModuleList(
            _fresh_block(width, heads, depth=blocks, generator=generator) for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, text: Tensor) -> Fused:
        """Let a sentence look at an image.

        Args:
            tokens: (B, N, D) image tokens in the joint space, class token or global feature first.
            text: (B, D) text features.

        Returns:
            The fused feature and the attention. In mode "weight" the first token's is zero.

        Raises:
            ModelError: There is a single key, so that the attention could not depend on the text.
        """
        sequence, attention = self.attend(tokens, text)
        if not len(self.blocks):
            return Fused(self.norm(sequence[:, 0]), attention)
        *blocks, last = self.blocks
        for block in blocks:
            sequence = run_block(block, sequence)
        return Fused(self.norm(run_block_at(last, sequence, 0)), attention)

    def attend(self, tokens: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Compute what enters the blocks; arguments and errors as in `forward`.

        Returns:
            (B, N, D) sequence, (B, 1, D) in mode "single", and the (B, heads, N) attention.
        """
        first = 1 if self.mode == "weight" else 0
        normed = self.norm_tokens(tokens[:, first:])
        count = normed.shape[1]
        if count < 2:
            raise ModelError(
                f"A sentence needs at least two image tokens to choose from, got {count}: over one "
                "key the attention is 1 whatever the sentence says. Use a backbone with patch "
                "tokens or a smaller stride."
            )
        attention = self._weigh_tokens(normed, self.norm_text(text))
        if self.value is None or self.output is None:
            scale = count * attention.mean(dim=1).unsqueeze(2)
            patches = (tokens[:, first:] * scale).to(tokens.dtype)
            attention = nn.functional.pad(attention, (first, 0))
            return torch.cat([tokens[:, :first], patches], dim=1), attention
        values = self._split_heads(self.value(normed))
        weighted = attention.transpose(1, 2).unsqueeze(3) * values
        if self.mode == "value":
            changes = (count * weighted).to(values.dtype).flatten(2)
            return tokens + self.output(changes), attention
        attended = weighted.sum(dim=1, keepdim=True).to(values.dtype).flatten(2)
        fused = self.output(attended)
        return (fused + text.unsqueeze(1) if self.options.residual else fused), attention

    def _weigh_tokens(self, tokens: Tensor, text: Tensor) -> Tensor:
        """Return the (B, heads, N) attention of normed text to normed tokens, in float32."""
        query = self._split_heads(self.query(text)) * (self.width // self.heads) ** -0.5
        logits = torch.einsum("bhd,bnhd->bhn", query, self._split_heads(self.key(tokens)))
        return logits.softmax(dim=2, dtype=torch.float32)

    def _split_heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1))


def _check_options(options: InteractionConfig, width: int, heads: int) -> None:
    mode, blocks = options.mode, options.blocks
    if mode not in MODES:
        raise ConfigError(unknown_name("mode of the interaction", mode, MODES))
    if width % heads:
        raise ConfigError(
            f"{heads} heads do not divide the joint width {width} (interaction.heads). Take a "
            "divisor of it, or leave it out for one head per 64 channels."
        )
    if mode == "weight" and blocks < 2:
        raise ConfigError(
            f"interaction.blocks is {blocks}; in mode weight at least two blocks must follow: the "
            "norm before the first takes the weights of the patches away, so that only the second "
            "can carry them to the class token that is read."
        )
    if options.residual and mode != "single":
        raise ConfigError(
            f"Only mode single adds the text to the attended token, not mode {mode}, where the "
            "image tokens are kept. Leave residual out."
        )


def _output_std(width: int, depth: int) -> float:
    """Return CLIP's standard deviation of projections into the residual stream."""
    return width**-0.5 * (2 * max(depth, 1)) ** -0.5


def _projection(width: int, std: float, generator: torch.Generator) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, width, width, bias=False)
    with torch.no_grad():
        layer.weight.normal_(generator=generator).mul_(std)
    return layer


def _fresh_block(
    width: int, heads: int, *, depth: int, generator: torch.Generator
) -> ResidualAttentionBlock:
    """Build a block as CLIP initialises its transformers, biases at zero."""
    with torch.device("meta"):  # its constructor would draw from the global generator
        block = ResidualAttentionBlock(width, heads, act_layer=QuickGELU)
    block.to_empty(device="cpu")
    stds = {
        "attn.in_proj_weight": width**-0.5,
        "attn.out_proj.weight": _output_std(width, depth),
        "mlp.c_fc.weight": (2 * width) ** -0.5,
        "mlp.c_proj.weight": _output_std(width, depth),
    }
    with torch.no_grad():
        for name, parameter in block.named_parameters():
            if name in stds:
                parameter.normal_(generator=generator).mul_(stds[name])
            else:
                parameter.fill_(1.0 if name in ("ln_1.weight", "ln_2.weight") else 0.0)
    return block
