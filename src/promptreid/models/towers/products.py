"""Products of tokens with weight matrices, on processors by the library that is fast on all makes.

For float32 torch hands plain products to MKL, which uses the widest vector instructions of one
maker's processors only; oneDNN, which is in torch as well, uses those of every maker. Its operator
for inference also takes 16-bit numbers, and applies an activation before a result leaves the cache.
"""

from __future__ import annotations

import platform
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

LEAST_WORK = 1 << 24
"""Multiplications below which the call itself costs more than the better library saves."""

_MACHINES = ("x86_64", "AMD64")


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False) -> Tensor:
    """Multiply with a matrix, as `torch.nn.functional.linear` does.

    Sums are taken in another order than in torch's own product, so that float32 results differ in
    the last bits.

    Args:
        x: (..., in).
        weight: (out, in).
        bias: (out,).
        gelu: Apply the exact GELU to the result.

    Returns:
        (..., out), with gradients wherever torch's own product has them.
    """
    if not _onednn(x, weight, bias):
        result = F.linear(x, weight, bias)
        return F.gelu(result) if gelu else result
    if torch.is_grad_enabled() and any(
        part is not None and part.requires_grad for part in (x, weight, bias)
    ):
        result = _Product.apply(x, weight, bias)
        return F.gelu(result) if gelu else result
    return _product(x, weight, bias, "gelu" if gelu else "none")


def run_mlp(mlp: nn.Module, x: Tensor) -> Tensor:
    """Run the two layers of a block's perceptron, by `linear` where they are plain.

    Args:
        mlp: `c_fc`, activation, `c_proj`.
        x: (..., width).
    """
    layers = dict(mlp.named_children())
    if list(layers) != ["c_fc", "gelu", "c_proj"]:
        return mlp(x)
    first, between, last = layers.values()
    if not (isinstance(first, nn.Linear) and isinstance(last, nn.Linear)):
        return mlp(x)
    exact = type(between) is nn.GELU and between.approximate == "none"
    hidden = linear(x, first.weight, first.bias, gelu=exact)
    return linear(hidden if exact else between(hidden), last.weight, last.bias)


def patch_tokens(convolution: nn.Conv2d, images: Tensor) -> Tensor:
    """Project the patches of images, as the convolution of a vision transformer does.

    On processors the patches are laid out as rows of one matrix product, which there is several
    times as fast as the convolution.

    Args:
        convolution: Kernel and stride of the patches; without padding, groups and dilation. Its
            weights may be of a smaller type than the images.
        images: (B, 3, H, W).

    Returns:
        (B, rows * columns, width), of the images' type unless autocast says otherwise.
    """
    weight = convolution.weight
    if images.device.type != "cpu":
        found = convolution(images.to(weight.dtype)).flatten(2).transpose(1, 2)
    else:
        tall, wide = weight.shape[2:]
        down, across = convolution.stride
        windows = images.to(weight.dtype).unfold(2, tall, int(down)).unfold(3, wide, int(across))
        rows = windows.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
        found = linear(rows, weight.flatten(1), convolution.bias)
    return found if weight.dtype == images.dtype else found.to(images.dtype)


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Return whether oneDNN's operator is there, knows these tensors, and is worth its call."""
    if x.device.type != "cpu" or x.dtype != weight.dtype or torch.is_autocast_enabled("cpu"):
        return False
    if x.dtype == torch.bfloat16:
        learns = (x, weight) if bias is None else (x, weight, bias)
        if torch.is_grad_enabled() and any(part.requires_grad for part in learns):
            return False
    elif x.dtype != torch.float32:
        return False
    rows = x.numel() // max(x.shape[-1], 1)
    return rows * weight.numel() >= LEAST_WORK and _there()


def _there() -> bool:
    return (
        platform.machine() in _MACHINES
        and torch.backends.mkldnn.is_available()
        and bool(getattr(torch.backends.mkldnn, "enabled", True))
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, activation: str = "none") -> Tensor:
    # The last argument chooses the exact GELU over its approximation by tanh.
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], "none")


class _Product(torch.autograd.Function):
    """The float32 product with its gradients, all three by oneDNN."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        rows = gradient.flatten(0, -2)
        for_x = for_weight = for_bias = None
        if ctx.needs_input_grad[0]:
            for_x = _product(gradient, weight.t(), None)
        if ctx.needs_input_grad[1]:
            for_weight = _product(rows.t(), x.flatten(0, -2).t(), None)
        if ctx.needs_input_grad[2]:
            for_bias = rows.sum(0)
        return for_x, for_weight, for_bias
