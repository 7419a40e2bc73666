"""How near the hardware's limit a tower runs: operations of an image, and products' best rate."""

from __future__ import annotations

import time
from typing import cast

import torch
from open_clip.transformer import ResidualAttentionBlock

from benchmarks.compare import Settings
from promptreid.models.towers.products import linear
from promptreid.models.towers.vit import ViTTower
from promptreid.torch_threads import torch_threads

_TRIES = 5


def operations(tower: ViTTower) -> int:
    """Count multiplications and additions of one image, the last block for the class token alone.

    Only matrix products and convolutions; norms, activations and softmax are left out.
    """
    width, tokens = tower.widths[0], tower.grid[0] * tower.grid[1] + 1
    blocks = len(tower.transformer.resblocks)
    first = cast(ResidualAttentionBlock, tower.transformer.resblocks[0])
    mlp = sum(weight.numel() for weight in first.mlp.parameters() if weight.ndim == 2)
    row = 4 * width * width + mlp  # projections and MLP
    whole = tokens * row + 2 * tokens * tokens * width
    last = row - 2 * width * width + 2 * tokens * width * width + 2 * tokens * width
    patches = tower.conv1.weight.numel() * (tokens - 1)
    return 2 * ((blocks - 1) * whole + last + patches + width * tower.widths[2])


@torch.no_grad()
def peak_operations(settings: Settings, kind: torch.dtype) -> float:
    """Measure the operations a second of products of both shapes of the MLP, the best of some.

    Args:
        settings: Device and threads.
        kind: Type of the factors.
    """
    rows, width, hidden = (256, 192, 768) if settings.quick else (16 * 129, 768, 3072)
    if settings.device.type == "cuda":
        rows *= 16
    best = float("inf")
    with torch_threads(settings.threads):
        for inner, outer in ((width, hidden), (hidden, width)):
            left = torch.randn(rows, inner, device=settings.device).to(kind)
            right = torch.randn(outer, inner, device=settings.device).to(kind)
            for _ in range(_TRIES):
                _wait(settings.device)
                begun = time.perf_counter()
                linear(left, right)
                _wait(settings.device)
                best = min(best, time.perf_counter() - begun)
    return 2 * rows * width * hidden / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def share_of_peak(done: float, settings: Settings, kind: torch.dtype) -> str:
    """Say what share of the products' best rate some operations a second are."""
    peak = peak_operations(settings, kind)
    bits = torch.finfo(kind).bits
    return f"{done / peak:.0%} of the {peak / 1e9:,.0f} GFLOP/s of {bits}-bit products here"
