"""Attention rollout (Abnar and Zuidema, Quantifying Attention Flow in Transformers, ACL 2020)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle

from promptreid.errors import ModelError


def rollout(attentions: Sequence[Tensor], *, fresh: slice | None = None) -> Tensor:
    """Follow attention from the last block back to the tokens that entered the first.

    With A the attention of a block averaged over its heads, a token after the block is made half of
    itself, by the residual connection, and half of what it attends to: `R <- (A + 1) / 2 @ R`.

    Args:
        attentions: (B, N, N) of each block in order, rows summing to one.
        fresh: Tokens that every block gets anew, as those of a deep visual prompt: what the blocks
            before made of them is not seen by later ones.

    Returns:
        (B, N, N): in row i the shares that the first tokens have in token i; rows sum to one.
    """
    first = attentions[0]
    eye = torch.eye(first.shape[-1], dtype=torch.float32, device=first.device)
    shares = eye.expand(first.shape)
    for attention in attentions:
        if fresh is not None:
            anew = eye[fresh].expand(len(first), -1, -1)
            shares = torch.cat([shares[:, : fresh.start], anew, shares[:, fresh.stop :]], dim=1)
        shares = (attention.float() + eye) / 2 @ shares
    return shares


@contextlib.contextmanager
def recorded_attention(blocks: Sequence[nn.Module]) -> Generator[list[Tensor]]:
    """Record the attention of transformer blocks while a model runs.

    Nothing about the run changes: the weights are computed again from what enters the attention, as
    the fused kernels that compute features do not give them.

    Args:
        blocks: Blocks of a CLIP vision transformer, in order.

    Yields:
        A list that after one forward pass holds (B, N, N) of each block, averaged over heads.

    Raises:
        ModelError: A block attends in another way than CLIP's.
    """
    attentions: list[Tensor] = []
    handles: list[RemovableHandle] = []
    try:
        for block in blocks:
            parts = _parts(block)
            if parts is None:
                raise ModelError(
                    "Attention rollout knows the blocks of CLIP's vision transformers, not "
                    f"{type(block).__name__}. Take the kind 'energy' for this backbone."
                )
            norm, attend = parts
            handles.append(norm.register_forward_hook(_recorder(attend, attentions)))
        yield attentions
    finally:
        for handle in handles:
            handle.remove()


def attention_weights(attend: nn.MultiheadAttention, normed: Tensor) -> Tensor:
    """Return the weights of self-attention, averaged over heads.

    Args:
        attend: Its parameters, possibly with a low-rank update.
        normed: (B, N, width) what enters it.

    Returns:
        (B, N, N), float32, rows summing to one.
    """
    width, heads = attend.embed_dim, attend.num_heads
    weight: Tensor = attend.in_proj_weight
    bias: Tensor | None = attend.in_proj_bias
    query_key = F.linear(normed, weight[: 2 * width], None if bias is None else bias[: 2 * width])
    query, key = (
        part.float().unflatten(-1, (heads, -1)).transpose(1, 2)
        for part in query_key.chunk(2, dim=-1)
    )
    scores = query @ key.transpose(-1, -2) / (width // heads) ** 0.5
    return scores.softmax(dim=-1).mean(dim=1)


def attends_like_clip(blocks: Iterable[nn.Module]) -> bool:
    """Tell whether `recorded_attention` knows all these blocks."""
    return all(_parts(block) is not None for block in blocks)


def _parts(block: nn.Module) -> tuple[nn.Module, nn.MultiheadAttention] | None:
    """Return the norm before the attention, and the attention."""
    norm, attend = getattr(block, "ln_1", None), getattr(block, "attn", None)
    known = isinstance(norm, nn.Module) and isinstance(attend, nn.MultiheadAttention)
    return (norm, attend) if known else None


def _recorder(attend: nn.MultiheadAttention, attentions: list[Tensor]) -> Callable[..., None]:
    def record(module: nn.Module, inputs: Any, output: Tensor) -> None:
        with torch.no_grad():
            attentions.append(attention_weights(attend, output))

    return record
