"""Make the weights of `tiny`: image-caption contrastive training on rendered pictures."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from open_clip.model import CLIP
from torch import Tensor

from promptreid.data.augment.pipeline import Augment, apply
from promptreid.data.batches.samplers import Uniform
from promptreid.inference.run_context import RunContext
from promptreid.losses.contrastive import supcon_cross_modal
from promptreid.models.towers.text_tower import TextTower
from promptreid.models.weights.tiny import NATIVE, TinyTokenizer, build_tiny, tiny_tokenizer
from promptreid.progress.counted_task import counting
from promptreid.seeds import derive_seed
from promptreid.tensors import write_tensors
from promptreid.training.step.loss_scaling import LossScaling

_LARGEST_SCALE = 100.0
_AUGMENT = Augment(flip=0.0, pad=6, erase=0.25)


@dataclass(frozen=True)
class PretrainSettings:
    """Length and rates; the rest follows CLIP.

    Attributes:
        epochs: Passes over the corpus.
        batch: Picture-caption pairs per step.
        lr: Largest learning rate.
        weight_decay: Decoupled, on matrices only.
        warmup: Share of all steps with a rising rate.
        seed: Seed of weights, order, captions and augmentation.
    """

    epochs: int = 20
    batch: int = 256
    lr: float = 1e-3
    weight_decay: float = 0.1
    warmup: float = 0.05
    seed: int = 0


def pretrain(
    pixels: NDArray[np.uint8],
    captions: Sequence[Sequence[str]],
    out: Path,
    settings: PretrainSettings,
    *,
    context: RunContext,
) -> dict[str, float]:
    """Train `tiny` from scratch and write its weights, rounded to float16.

    The loss is CLIP's symmetric contrast (Radford et al., 2021) with cosines and a learned scale;
    pairs of a batch with the very same caption count as positives of each other.

    Args:
        pixels: (N, S, S, 3) pictures; every 20th is kept out to measure recall.
        captions: Captions of each picture, as many for each.
        out: Weights file, `.safetensors`.
        settings: Length and rates.
        context: Where and how to train; the seed is that of the settings.

    Returns:
        Last training loss, held-out image-to-text and text-to-image recall at 1 among 256 pairs.
    """
    device, progress = context.device, context.progress
    model, tokenizer = build_tiny(seed=settings.seed), tiny_tokenizer()
    model.to(device).train()
    text = TextTower(model)
    rows = np.arange(len(pixels))
    held = rows % 20 == 0
    learn, test = rows[~held], rows[held]
    tokens = _tokenize(captions, tokenizer)
    sampler = Uniform(len(learn), settings.batch, settings.seed, drop_last=True)
    steps = settings.epochs * len(sampler.batches(1))
    optimizer = torch.optim.AdamW(_groups(model, settings), betas=(0.9, 0.98), eps=1e-6)
    scaling = LossScaling(optimizer, context)
    loss, recall, begun = math.nan, {}, time.monotonic()
    for epoch in range(1, settings.epochs + 1):
        batches = sampler.batches(epoch)
        title, images_of_epoch = f"epoch {epoch}/{settings.epochs}", len(batches) * settings.batch
        total = torch.zeros((), device=device)
        with counting(progress, title, images_of_epoch, "images"):
            for number, picked in enumerate(batches):
                step = (epoch - 1) * len(batches) + number
                for group in optimizer.param_groups:
                    group["lr"] = _rate(step, steps, settings)
                generator = torch.Generator().manual_seed(derive_seed(settings.seed, epoch, number))
                images, words = _draw(pixels, tokens, learn[picked], generator, device)
                total += _step(model, scaling, _loss(model, text, images, words, context))
                progress.advance(len(picked))
        loss = (total / len(batches)).item()
        recall = _recall(model, text, pixels, test, tokens, device)
        progress.message(
            f"epoch {epoch}/{settings.epochs}  loss {loss:.3f}  held-out recall@1 of "
            f"{recall['pairs']:.0f}: image to text {recall['i2t']:.1%}, text to image "
            f"{recall['t2i']:.1%}  {time.monotonic() - begun:.0f} s"
        )
        _write(model, out, settings)
    return {"loss": loss, **recall}


def _draw(
    pixels: NDArray[np.uint8],
    tokens: Tensor,
    rows: np.ndarray,
    generator: torch.Generator,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Augment some pictures and draw a caption of each, as images and token ids."""
    images = apply(_tensor(pixels[rows], device), NATIVE, _AUGMENT, generator)
    which = torch.randint(tokens.shape[1], (len(rows),), generator=generator)
    return images, tokens[torch.from_numpy(rows), which].to(device)


def _step(model: CLIP, scaling: LossScaling, loss: Tensor) -> Tensor:
    """Move the weights by the loss, which is returned without its graph."""
    model.zero_grad(set_to_none=True)
    scaling.backward(loss)
    scaling.step(model.parameters(), clip_norm=1.0)
    with torch.no_grad():
        model.logit_scale.clamp_(max=math.log(_LARGEST_SCALE))
    return loss.detach()


def _loss(
    model: CLIP, text: TextTower, images: Tensor, words: Tensor, context: RunContext
) -> Tensor:
    with context.forward():
        seen = model.visual(images)
        read = text.encode_tokens(words)
    seen = F.normalize(seen.float(), dim=1) * model.logit_scale.exp()
    read = F.normalize(read.float(), dim=1)
    _, same = torch.unique(words, dim=0, return_inverse=True)
    image_to_text = supcon_cross_modal(seen, read, same, same)
    return 0.5 * (image_to_text + supcon_cross_modal(read, seen, same, same))


def _tokenize(captions: Sequence[Sequence[str]], tokenizer: TinyTokenizer) -> Tensor:
    """Return all captions as (N, captions, L) token ids, cut after the longest."""
    tokens = tokenizer([sentence for sentences in captions for sentence in sentences])
    longest = int((tokens != 0).sum(1).max())
    return tokens[:, :longest].reshape(len(captions), -1, longest)


def _tensor(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    images = torch.from_numpy(np.ascontiguousarray(pixels))
    return images.permute(0, 3, 1, 2).contiguous().to(device)


def _rate(step: int, steps: int, settings: PretrainSettings) -> float:
    warm = max(1, round(settings.warmup * steps))
    if step < warm:
        return settings.lr * (step + 1) / warm
    return 0.5 * settings.lr * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _groups(model: CLIP, settings: PretrainSettings) -> list[dict[str, object]]:
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    return [
        {"params": matrices, "weight_decay": settings.weight_decay, "lr": settings.lr},
        {"params": others, "weight_decay": 0.0, "lr": settings.lr},
    ]


@torch.no_grad()
def _recall(
    model: CLIP,
    text: TextTower,
    pixels: NDArray[np.uint8],
    rows: np.ndarray,
    tokens: Tensor,
    device: torch.device,
) -> dict[str, float]:
    """Match held-out pictures and their longest captions among up to 256 pairs."""
    rows = rows[np.linspace(0, len(rows) - 1, min(256, len(rows))).astype(int)]
    model.eval()
    lengths = (tokens[torch.from_numpy(rows)] != 0).sum(2).argmax(1)
    words = tokens[torch.from_numpy(rows), lengths].to(device)
    plain = Augment(flip=0.0, pad=0, erase=0.0)
    generator = torch.Generator().manual_seed(0)
    images = apply(_tensor(pixels[rows], device), NATIVE, plain, generator)
    seen = F.normalize(model.visual(images), dim=1)
    read = F.normalize(text.encode_tokens(words), dim=1)
    scores = seen @ read.T
    truth = torch.arange(len(rows), device=device)
    model.train()
    return {
        "i2t": (scores.argmax(1) == truth).float().mean().item(),
        "t2i": (scores.argmax(0) == truth).float().mean().item(),
        "pairs": float(len(rows)),
    }


def _write(model: CLIP, out: Path, settings: PretrainSettings) -> None:
    tensors = {
        name: value.detach().half().cpu().contiguous() if value.is_floating_point() else value
        for name, value in model.state_dict().items()
    }
    metadata = {key: str(value) for key, value in asdict(settings).items()}
    write_tensors(out, tensors, {"made_by": "promptreid pretrain", **metadata})
