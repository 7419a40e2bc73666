"""Products of tokens with weight matrices, and what stands between the two of a perceptron.

On processors products are made by the library that is fastest there.

float32 products go where `promptreid.models.towers.product_choice` sends them. 16-bit products are
oneDNN's, in torch as here; its operator for inference also applies an activation before a result
leaves the cache.
"""

from __future__ import annotations

from typing import Any

import torch
from open_clip.transformer import QuickGELU
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from promptreid.models.towers.product_choice import (
    ONEDNN,
    TORCH,
    current_choice,
    has_onednn,
)
from promptreid.runs.run_records import Library, ProductChoice

LEAST_WORK = 1 << 24
"""Multiplications below which the call itself costs more than the better library saves."""

_SLOPE = 1.702


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False) -> Tensor:
    """Multiply with a matrix, as `torch.nn.functional.linear` does.

    oneDNN takes sums in another order than torch's own product, so that float32 results differ in
    the last bits.

    Args:
        x: (..., in).
        weight: (out, in).
        bias: (out,).
        gelu: Apply the exact GELU to the result.

    Returns:
        (..., out), with gradients wherever torch's own product has them.
    """
    choice = _library_choice(x, weight, bias)
    learns = choice != TORCH and _learns(x, weight, bias)
    if learns and x.dtype == torch.float32:
        result = _Product.apply(x, weight, bias, choice)
    elif learns or choice.forward == "torch":
        result = F.linear(x, weight, bias)
    else:
        return _product(x, weight, bias, "gelu" if gelu else "none")
    return F.gelu(result) if gelu else result


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
    if not exact:
        hidden = quick_gelu(hidden) if type(between) is QuickGELU else between(hidden)
    return linear(hidden, last.weight, last.bias)


def quick_gelu(x: Tensor) -> Tensor:
    """Compute OpenAI's activation `x sigmoid(1.702 x)`, on processors as `silu(1.702 x) / 1.702`.

    Written out it passes over the widest tensors of a block three times forward and five times
    back, and holds two of them. By silu it holds one, and the gradient is that of silu, which torch
    computes in one pass, since the two slopes cancel.

    Args:
        x: Any shape.

    Returns:
        The same shape, with a gradient; in 16 bits rounded as often as when written out.
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return x * torch.sigmoid(_SLOPE * x)
    return _QuickGELU.apply(x)


def patch_tokens(convolution: nn.Conv2d, images: Tensor) -> Tensor:
    """Project the patches of images, as the convolution of a vision transformer does.

    On processors the patches are laid out as rows of one matrix product, which there is several
    times as fast as the convolution. What is traced stays a convolution, which other programs know.

    Args:
        convolution: Kernel and stride of the patches; without padding, groups and dilation. Its
            weights may be of a smaller type than the images.
        images: (B, 3, H, W).

    Returns:
        (B, rows * columns, width), of the images' type unless autocast says otherwise.
    """
    weight = convolution.weight
    if images.device.type != "cpu" or torch.compiler.is_compiling():
        found = convolution(images.to(weight.dtype)).flatten(2).transpose(1, 2)
    else:
        tall, wide = weight.shape[2:]
        down, across = convolution.stride
        windows = images.to(weight.dtype).unfold(2, tall, int(down)).unfold(3, wide, int(across))
        rows = windows.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
        found = linear(rows, weight.flatten(1), convolution.bias)
    return found if weight.dtype == images.dtype else found.to(images.dtype)


def _library_choice(x: Tensor, weight: Tensor, bias: Tensor | None) -> ProductChoice:
    """Return who multiplies these tensors; torch where no other library knows them or is worth it.

    What is traced stays in torch's own operators: sizes may be symbols there, which cannot be
    compared, and other programs know no operators of oneDNN.
    """
    if torch.compiler.is_compiling():
        return TORCH
    if x.device.type != "cpu" or x.dtype != weight.dtype or torch.is_autocast_enabled("cpu"):
        return TORCH
    if x.dtype not in (torch.float32, torch.bfloat16) or not has_onednn():
        return TORCH
    rows = x.numel() // max(x.shape[-1], 1)
    if rows * weight.numel() < LEAST_WORK:
        return TORCH
    return current_choice() if x.dtype == torch.float32 else ONEDNN


def _learns(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(
        tensor is not None and tensor.requires_grad for tensor in tensors
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, activation: str = "none") -> Tensor:
    # The last argument chooses the exact GELU over its approximation by tanh.
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], "none")


def multiply(left: Tensor, right: Tensor, library: Library) -> Tensor:
    """Multiply by a library, whatever is chosen.

    Args:
        left: (..., n), which may be a transposed view, as `right` may.
        right: (n, m).
        library: Who multiplies.

    Returns:
        (..., m).
    """
    if library == "torch":
        return left @ right
    if library == "onednn-contiguous":
        return _product(left.contiguous(), right.t().contiguous(), None)
    return _product(left, right.t(), None)


class _Product(torch.autograd.Function):
    """The float32 product with its gradients, each by the library that is chosen for it."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, choice: ProductChoice
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.choice = choice
        if choice.forward == "torch":
            return F.linear(x, weight, bias)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        rows = gradient.flatten(0, -2)
        for_x = for_weight = for_bias = None
        if ctx.needs_input_grad[0]:
            for_x = multiply(gradient, weight, ctx.choice.to_input)
        if ctx.needs_input_grad[1]:
            for_weight = multiply(rows.t(), x.flatten(0, -2), ctx.choice.to_weight)
        if ctx.needs_input_grad[2]:
            for_bias = rows.sum(0)
        return for_x, for_weight, for_bias, None


class _QuickGELU(torch.autograd.Function):
    """The activation by silu; what is held is the scaled input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        scaled = x * _SLOPE
        ctx.save_for_backward(scaled)
        return F.silu(scaled).mul_(1 / _SLOPE)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (scaled,) = ctx.saved_tensors
        return torch.ops.aten.silu_backward(gradient, scaled)
