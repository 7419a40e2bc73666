"""`embed`: images to retrieval vectors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import cast

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor
from torch.nn import functional as F

from promptreid.bench.compare import Check, Comparison, Settings
from promptreid.bench.plain_tower import plain_image
from promptreid.bench.sizes import backbone_name, image_size
from promptreid.models.backbone import build_backbone
from promptreid.models.reduced import reduced_copy
from promptreid.models.reid import EmbeddingSpec, ReIDModel
from promptreid.models.text import AbsentText
from promptreid.models.vision import ViTTower
from promptreid.training.device import resolve_precision

_TRIES = 7


def embed(settings: Settings) -> Iterator[Comparison]:
    """Compare the forward pass of a batch, from normalised images to unit vectors.

    Plain: every token through every block, attention written out, in float32 and under autocast.
    Ours: in the last block the class token alone; once in float32, as `promptreid evaluate`
    computes, and where 16-bit products are native with `reduced_copy`.
    """
    count = 4 if settings.quick else (256 if settings.device.type == "cuda" else 64)
    backbone = build_backbone(
        backbone_name(settings), pretrained="none", image_size=image_size(settings)
    )
    backbone.text = AbsentText()
    model = ReIDModel(backbone, embedding=EmbeddingSpec()).to(settings.device).eval()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, 3, *image_size(settings), generator=generator)
    images = images.to(settings.device)
    plain = _without_gradients(lambda: _plain(model, images))
    exact = _without_gradients(lambda: model.embed(images))

    def rates(slow: float, fast: float) -> str:
        return f"{count / slow:.1f} and {count / fast:.1f} images a second"

    native = resolve_precision("auto", settings.device) == "bf16"
    name = "embed float32" if native else "embed"
    yield Comparison(name, plain, exact, partial(_checks, 1e-6), note=rates)
    if not native:
        return
    small = deepcopy(model)
    assert isinstance(small.backbone.image, ViTTower)
    small.backbone.image = reduced_copy(small.backbone.image)
    ours = _without_gradients(lambda: small.embed(images))
    work = operations(small.backbone.image) * count

    def shares(slow: float, fast: float) -> str:
        share = work / fast / peak_operations(settings)
        return f"{rates(slow, fast)}; {share:.0%} of what 16-bit products reach here"

    half = torch.float16 if settings.device.type == "cuda" else torch.bfloat16
    yield Comparison("embed", plain, ours, partial(_checks, 1e-4), note=shares)

    def autocast() -> Tensor:
        with torch.autocast(settings.device.type, dtype=half):
            return plain()

    yield Comparison("embed autocast", autocast, ours, partial(_checks, 2e-4), note=shares)


def _without_gradients(work: Callable[[], Tensor]) -> Callable[[], Tensor]:
    # no_grad, not inference_mode: reduced precision is several times slower under the latter.
    return torch.no_grad()(work)


def _plain(model: ReIDModel, images: Tensor) -> Tensor:
    tower = model.backbone.image
    assert isinstance(tower, ViTTower)
    found = plain_image(tower, images)
    return F.normalize(torch.cat([found.final.float(), found.projected.float()], dim=1), dim=1)


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


def peak_operations(settings: Settings) -> float:
    """Measure the operations a second of a 16-bit product of the MLP's shape, the best of some."""
    rows, width, hidden = (256, 192, 768) if settings.quick else (64 * 129, 768, 3072)
    left = torch.randn(rows, width, device=settings.device, dtype=torch.bfloat16)
    right = torch.randn(hidden, width, device=settings.device, dtype=torch.bfloat16)
    best = float("inf")
    for _ in range(_TRIES):
        begun = time.perf_counter()
        F.linear(left, right).sum().item()
        best = min(best, time.perf_counter() - begun)
    return 2 * rows * width * hidden / best


def _checks(allowed: float, plain: Tensor, ours: Tensor) -> tuple[Check, ...]:
    cosine = (plain.double() * ours.double()).sum(1).min().item()
    return (Check("one minus the smallest cosine", max(0.0, 1 - cosine), allowed),)
