"""Transformer blocks of OpenCLIP, run only where their output is read.

The functions compute what `ResidualAttentionBlock.forward` computes, with the same parameters, but
let a caller ask for some rows only: in the last block nobody reads the other rows, and a prefix
that all sequences share needs to be encoded once. Both are exact.
"""

from __future__ import annotations

from typing import Any

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

from promptreid.models.towers.attention import attend
from promptreid.models.towers.block_runs import run_by_block
from promptreid.models.towers.products import linear, run_mlp


def run_block(block: nn.Module, x: Tensor, *, causal: bool = False) -> Tensor:
    """Run a block on all rows.

    Args:
        block: An OpenCLIP residual attention block, plain or custom.
        x: (B, L, w) tokens.
        causal: Whether row i sees rows 0..i only.

    Returns:
        (B, L, w).
    """
    return run_by_block(_run_whole, block, x, causal)


def _run_whole(block: nn.Module, x: Tensor, causal: bool) -> Tensor:
    plain = _as_plain(block)
    if plain is None:
        mask = _additive_causal_mask(x) if causal else None
        return block(x, attn_mask=mask)
    normed = plain.ln_1(x)
    return _finish_block(plain, x, _attend(plain.attn, normed, normed, causal=causal))


def run_block_at(
    block: nn.Module, x: Tensor, rows: Tensor | int, *, visible: Tensor | None = None
) -> Tensor:
    """Run a block for one row of each sequence.

    Args:
        block: An OpenCLIP residual attention block, plain or custom.
        x: (B, L, w) tokens, all of them keys and values.
        rows: (B,) index of the row that is read, or one index for all sequences.
        visible: (B, L) true where the row may look; None for everywhere.

    Returns:
        (B, w) the row after the block.
    """
    return run_by_block(_run_rows, block, x, rows, visible)


def _run_rows(block: nn.Module, x: Tensor, rows: Tensor | int, visible: Tensor | None) -> Tensor:
    plain = _as_plain(block)
    if plain is None:
        return select_row(block(x, attn_mask=_additive_mask(block, x, visible)), rows)
    normed = plain.ln_1(x)
    mask = None if visible is None else visible[:, None, None, :]
    if isinstance(rows, int):
        # In steps of a whole sequence, so that the stride of the row leads to the next sequence's:
        # without that, torch before 2.14 makes a product of its own for each sequence.
        query = normed[:, rows :: normed.shape[1]]
    else:
        query = select_row(normed, rows).unsqueeze(1)
    attended = _attend(plain.attn, query, normed, mask=mask)
    return _finish_block(plain, select_row(x, rows), attended.squeeze(1))


def select_row(x: Tensor, rows: Tensor | int) -> Tensor:
    """Return one row of each sequence: (B, L, w) and (B,) indices, or one index, to (B, w)."""
    if isinstance(rows, int):
        return x[:, rows]
    return x[torch.arange(x.shape[0], device=x.device), rows]


def run_block_after(block: nn.Module, shared: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Run a causal block on sequences that begin alike, the common beginning once.

    Args:
        block: A plain OpenCLIP block, as `can_share` tells.
        shared: (1, P, w) tokens that every sequence begins with.
        x: (B, L, w) the tokens after them.

    Returns:
        `shared` and `x` after the block.
    """
    return run_by_block(_run_after, block, shared, x)


def _run_after(block: nn.Module, shared: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    plain = _as_plain(block)
    if plain is None:
        raise TypeError(f"{type(block).__name__} cannot run on a shared beginning")
    attn = plain.attn
    first = _project_tokens(attn, plain.ln_1(shared))
    q, k, v = _project_tokens(attn, plain.ln_1(x))
    rows, before = x.shape[1], shared.shape[1]
    shape = (x.shape[0], -1, -1, -1)
    k, v = (
        torch.cat([common.expand(shape), after], dim=2)
        for common, after in zip(first[1:], (k, v), strict=True)
    )
    mask = torch.ones(rows, before + rows, dtype=torch.bool, device=x.device).tril(before)
    return (
        _finish_block(plain, shared, _join_heads(attn, attend(*first, causal=True))),
        _finish_block(plain, x, _join_heads(attn, attend(q, k, v, mask=mask))),
    )


def can_share(blocks: nn.ModuleList) -> bool:
    """Return whether `run_block_after` knows all these blocks."""
    return all(_as_plain(block) is not None for block in blocks)


def _as_plain(block: nn.Module) -> ResidualAttentionBlock | None:
    """Return the block if its forward is known here: plain self-attention and MLP."""
    if type(block) is ResidualAttentionBlock and not hasattr(block, "ln_1_kv"):
        return block
    return None


def _finish_block(block: ResidualAttentionBlock, x: Tensor, attended: Tensor) -> Tensor:
    x = x + block.ls_1(attended)
    return x + block.ls_2(run_mlp(block.mlp, block.ln_2(x)))


def _attend(
    attn: nn.MultiheadAttention,
    query: Tensor,
    source: Tensor,
    *,
    mask: Tensor | None = None,
    causal: bool = False,
) -> Tensor:
    if query is source:
        q, k, v = _project_tokens(attn, source)
    else:
        width, weight, bias = attn.embed_dim, attn.in_proj_weight, attn.in_proj_bias
        (q,) = _split_heads(attn, linear(query, weight[:width], bias[:width]), 1)
        k, v = _split_heads(attn, linear(source, weight[width:], bias[width:]), 2)
    return _join_heads(attn, attend(q, k, v, mask=mask, causal=causal))


def _project_tokens(attn: nn.MultiheadAttention, x: Tensor) -> tuple[Tensor, ...]:
    """Return queries, keys and values of all rows, (B, heads, L, d) each."""
    return _split_heads(attn, linear(x, attn.in_proj_weight, attn.in_proj_bias), 3)


def _split_heads(attn: nn.MultiheadAttention, x: Tensor, parts: int) -> tuple[Tensor, ...]:
    cut = (part.unflatten(-1, (attn.num_heads, -1)) for part in x.chunk(parts, dim=-1))
    return tuple(part.transpose(1, 2) for part in cut)


def _join_heads(attn: nn.MultiheadAttention, attended: Tensor) -> Tensor:
    """Bring heads together again: (B, heads, L, d) to (B, L, w)."""
    rows = attended.transpose(1, 2).flatten(2)
    return linear(rows, attn.out_proj.weight, attn.out_proj.bias)


def _additive_causal_mask(x: Tensor) -> Tensor:
    length = x.shape[1]
    mask = torch.full((length, length), float("-inf"), dtype=x.dtype, device=x.device)
    return mask.triu(1)


def _additive_mask(block: nn.Module, x: Tensor, visible: Tensor | None) -> Tensor | None:
    """Turn (B, L) visibility into the (B * heads, L, L) mask that custom blocks take."""
    if visible is None:
        return None
    mask = torch.zeros(visible.shape, dtype=x.dtype, device=x.device)
    mask = mask.masked_fill(~visible, float("-inf"))[:, None, :].expand(-1, x.shape[1], -1)
    heads: Any = block.get_submodule("attn")
    return mask.repeat_interleave(heads.num_heads, 0)
