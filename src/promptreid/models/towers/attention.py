"""Scaled dot-product attention over the short sequences of CLIP's towers.

torch's fused attention is made for long sequences. In 16 bits on a processor it needs more than
twice the time of the plain products for the 129 tokens of a pedestrian image, and five times with
gradients.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

LONGEST = 512
"""Keys up to which the weights of all pairs of tokens are small beside what else a block holds."""


def attend(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None, causal: bool = False
) -> Tensor:
    """Compute `softmax(q k^T / sqrt(d)) v`.

    In 16 bits the products with the queries are kept in float32 up to the softmax, as torch's fused
    attention keeps them; the weights are rounded.

    Args:
        q: (B, heads, R, d) queries.
        k: (B, heads, L, d) keys.
        v: (B, heads, L, d) values.
        mask: True where a query may look, broadcast to (B, heads, R, L); None for everywhere.
        causal: Whether query i sees keys 0..i only.

    Returns:
        (B, heads, R, d).
    """
    traced = torch.compiler.is_compiling()  # a compiler writes the products by itself
    if traced or q.device.type != "cpu" or q.dtype != torch.bfloat16 or k.shape[-2] > LONGEST:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    if causal:
        mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
    shape = q.shape
    with torch.autocast("cpu", enabled=False):
        flat = (part.flatten(0, 1) for part in (q, k, v))
        hidden = None if mask is None else ~mask.expand(*shape[:3], k.shape[-2]).flatten(0, 1)
        return _ShortAttention.apply(*flat, hidden).unflatten(0, shape[:2])


class _ShortAttention(torch.autograd.Function):
    """Attention of (N, L, d) tokens in 16 bits, written out."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None) -> Tensor:
        scale = q.shape[-1] ** -0.5
        scores = torch.bmm(q.float() * scale, k.float().transpose(1, 2))
        if hidden is not None:
            scores.masked_fill_(hidden, float("-inf"))
        weights = scores.softmax(-1).to(q.dtype)
        ctx.save_for_backward(q, k, v, weights)
        return torch.bmm(weights, v)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, weights = ctx.saved_tensors
        scale = q.shape[-1] ** -0.5
        for_v = torch.bmm(weights.transpose(1, 2), gradient)
        change = torch.bmm(gradient, v.transpose(1, 2))
        for_scores = torch._softmax_backward_data(change, weights, -1, weights.dtype)
        for_q = torch.bmm(for_scores, k).mul_(scale)
        for_k = torch.bmm(for_scores.transpose(1, 2), q).mul_(scale)
        return for_q, for_k, for_v, None
