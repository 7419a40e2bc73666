"""`embed`: images to retrieval vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.compare import Check, Comparison, Settings
from benchmarks.peak import operations, share_of_peak
from benchmarks.plain_tower import plain_image
from benchmarks.sizes import backbone_name, image_size
from promptreid.config.model import EmbeddingConfig
from promptreid.inference.device import is_bf16_native
from promptreid.inference.embedding_loop import embed_images
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import build_backbone
from promptreid.models.towers.precision import in_precision
from promptreid.models.towers.text_tower import AbsentText
from promptreid.models.towers.vit import ViTTower


def embed(settings: Settings) -> Iterator[Comparison]:
    """Compare the forward pass of a batch, from normalised images to unit vectors.

    Plain: every token through every block, attention written out, in float32 and under autocast.
    Ours: what `promptreid evaluate` computes in float32, and where 16-bit products are native with
    `--precision bf16`.
    """
    count = 4 if settings.quick else (256 if settings.device.type == "cuda" else 64)
    backbone = build_backbone(
        backbone_name(settings), pretrained="none", image_size=image_size(settings)
    )
    backbone.text = AbsentText()
    model = ReIDModel(backbone, embedding=EmbeddingConfig()).to(settings.device).eval()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, 3, *image_size(settings), generator=generator)
    images = images.to(settings.device)
    plain = _without_gradients(lambda: _plain(model, images))
    exact = _without_gradients(lambda: embed_images(model, images))

    assert isinstance(model.backbone.image, ViTTower)
    work = operations(model.backbone.image) * count

    def rates(kind: torch.dtype, slow: float, fast: float) -> str:
        share = share_of_peak(work / fast, settings, kind)
        return f"{count / slow:.1f} and {count / fast:.1f} images a second; {share}"

    native = is_bf16_native(settings.device)
    name = "embed float32" if native else "embed"
    note = partial(rates, torch.float32)
    yield Comparison(name, plain, exact, partial(_checks, 1e-6), note=note)
    if not native:
        return
    small = in_precision(model, "bf16")
    ours = _without_gradients(lambda: embed_images(small, images))
    half = torch.float16 if settings.device.type == "cuda" else torch.bfloat16
    note = partial(rates, torch.bfloat16)
    yield Comparison("embed", plain, ours, partial(_checks, 1e-4), note=note)

    def autocast() -> Tensor:
        with torch.autocast(settings.device.type, dtype=half):
            return plain()

    yield Comparison("embed autocast", autocast, ours, partial(_checks, 2e-4), note=note)


def _without_gradients(work: Callable[[], Tensor]) -> Callable[[], Tensor]:
    # no_grad, not inference_mode: reduced precision is several times slower under the latter.
    return torch.no_grad()(work)


def _plain(model: ReIDModel, images: Tensor) -> Tensor:
    tower = model.backbone.image
    assert isinstance(tower, ViTTower)
    found = plain_image(tower, images)
    return F.normalize(torch.cat([found.final.float(), found.projected.float()], dim=1), dim=1)


def _checks(allowed: float, plain: Tensor, ours: Tensor) -> tuple[Check, ...]:
    cosine = (plain.double() * ours.double()).sum(1).min().item()
    return (Check("one minus the smallest cosine", max(0.0, 1 - cosine), allowed),)
