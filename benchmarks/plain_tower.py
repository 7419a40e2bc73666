"""Transformer towers by their definition: every row, in every block, attention written out."""

from __future__ import annotations

import math
from typing import cast

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.models.towers.image_tower import ImageFeatures
from promptreid.models.towers.text_tower import TextTower
from promptreid.models.towers.vit import ViTTower


def plain_text(tower: TextTower, embeddings: Tensor, eot: int) -> Tensor:
    """Encode sentences of all positions.

    Args:
        tower: A causal text tower.
        embeddings: (B, context_length, width) word embeddings without positions.
        eot: The position that is read.

    Returns:
        (B, embed_dim) text features.
    """
    length = embeddings.shape[1]
    mask = torch.full((length, length), float("-inf"), device=embeddings.device).triu(1)
    x = embeddings + tower.positional_embedding
    for block in tower.transformer.resblocks:
        x = plain_block(block, x, mask)
    return tower.ln_final(x)[:, eot] @ cast(Tensor, tower.text_projection)


def plain_image(tower: ViTTower, images: Tensor) -> ImageFeatures:
    """Encode images: all tokens through all blocks.

    Args:
        tower: With a class token, without prompts and adapters.
        images: (B, 3, H, W).
    """
    patches = tower.conv1(images).flatten(2).transpose(1, 2)
    first = tower.class_embedding.to(patches.dtype).expand(len(images), 1, -1)
    x = torch.cat([first, patches], dim=1) + tower.positional_embedding
    x = tower.ln_pre(x)
    *blocks, last = tower.transformer.resblocks
    for block in blocks:
        x = plain_block(block, x)
    final = tower.ln_post(plain_block(last, x))
    return ImageFeatures(x[:, 0], final[:, 0], (final @ tower.proj)[:, 0])


def plain_block(block: nn.Module, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Run a residual attention block on all rows of (B, L, width) tokens."""
    block = cast(ResidualAttentionBlock, block)
    x = x + block.ls_1(_attention(block.attn, block.ln_1(x), mask))
    return x + block.ls_2(block.mlp(block.ln_2(x)))


def _attention(attn: nn.MultiheadAttention, x: Tensor, mask: Tensor | None) -> Tensor:
    """`softmax(q k^T / sqrt(d) + mask) v` of every head."""
    packed = F.linear(x, cast(Tensor, attn.in_proj_weight), attn.in_proj_bias)
    q, k, v = (
        part.unflatten(-1, (attn.num_heads, -1)).transpose(1, 2) for part in packed.chunk(3, -1)
    )
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = (scores if mask is None else scores + mask).softmax(dim=-1)
    return attn.out_proj((weights @ v).transpose(1, 2).flatten(2))
