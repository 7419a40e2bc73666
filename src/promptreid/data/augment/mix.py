"""Mixup and CutMix of some images of a batch.

A mixed image shows two identities, so it can teach a classifier both, but it is no example of
either: losses that compare features of images must leave it out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from promptreid.config.augment import MixConfig
from promptreid.data.images.transforms import box_mask
from promptreid.transfer import send


@dataclass(frozen=True)
class Mix:
    """Labels of a batch with mixed images.

    Attributes:
        partner: Label of the other identity in each image, its own where the image is clean, (B,)
            int64.
        weight: Share of the own label, 1 where the image is clean, (B,) float32.
        clean: Which images show nothing of another, (B,) bool; always on the CPU, so that nobody
            waits for a device to learn how many there are.
    """

    partner: Tensor
    weight: Tensor
    clean: Tensor


@dataclass(frozen=True)
class MixDraw:
    """What is mixed with what, on the CPU.

    Attributes:
        partner: Place of the other image in the batch, (B,) int64; its own where clean.
        weight: Share of the own image, (B,) float32; 1 where clean.
        boxes: Top, left, height and width of what comes from the other image, (B, 4) int64, all 0
            where clean; None when whole images are averaged.
    """

    partner: Tensor
    weight: Tensor
    boxes: Tensor | None


def draw_mix(
    labels: Tensor, size: tuple[int, int], config: MixConfig, generator: Generator
) -> MixDraw:
    """Draw which images are mixed, with which others and how much.

    The weight is drawn from Beta(a, a), image by image. CutMix pastes a box of that share of the
    area at a random centre and cuts it off at the image's edges; the weight is then that of what
    is left, so that labels have the weights of the pixels (Yun et al., ICCV 2019).

    Partners come from one random circle through the batch, so that no image is its own partner and
    none is taken twice. A single image is left alone.

    Args:
        labels: Identity of each image, (B,) int64 on the CPU.
        size: Height and width of the images.
        config: The settings.
        generator: A CPU generator; it moves on.
    """
    count = len(labels)
    mixed = choose(labels, round(config.share * count), generator)
    circle = torch.randperm(count, generator=generator)
    partner = torch.empty(count, dtype=torch.int64)
    partner[circle] = circle.roll(1)
    coin = torch.rand((), generator=generator, dtype=torch.float64).item()
    # torch has no Beta distribution that draws from a given generator.
    rng = np.random.default_rng(int(torch.randint(1 << 62, (), generator=generator)))
    cut = config.cutmix > 0 and (config.mixup == 0 or coin < 0.5)
    strength = config.cutmix if cut else config.mixup
    weight = torch.from_numpy(rng.beta(strength, strength, count))
    boxes = None
    if cut:
        boxes = _boxes(weight, size, torch.from_numpy(rng.random((2, count))))
        boxes *= mixed[:, None]
        weight = 1 - boxes[:, 2] * boxes[:, 3] / (size[0] * size[1])
    weight = torch.where(mixed, weight.float(), 1.0)
    unmixed = torch.arange(count)
    # Not `mixed`: a box without area or a weight that rounds to 1 leaves its image clean.
    return MixDraw(torch.where(weight < 1, partner, unmixed), weight, boxes)


def choose(labels: Tensor, wanted: int, generator: Generator) -> Tensor:
    """Choose the images to mix so that as many identities as possible keep two clean images.

    Metric losses need two clean images of an identity to compare. So two random images of each
    identity that has as many are put last, identity by identity in random order: they are taken
    only when all others do not suffice, and then an identity gives up both before the next one
    does. With half of the images mixed and four of each identity, all keep two.

    Args:
        labels: (B,) int64 on the CPU.
        wanted: Images to choose; exactly as many are chosen, none from a batch of one.
        generator: A CPU generator; it moves on.

    Returns:
        (B,) bool.
    """
    count = len(labels)
    chosen = torch.zeros(count, dtype=torch.bool)
    if count < 2:
        return chosen
    order = torch.randperm(count, generator=generator)
    same = labels[order][:, None] == labels[order][None, :]
    earlier = same.tril(-1).sum(1)
    spared = (earlier < 2) & (same.sum(1) >= 2)
    first = same.int().argmax(1)  # where an identity comes in the random order
    last_resort = spared * (1 + first)
    chosen[order[last_resort.argsort(stable=True)[:wanted]]] = True
    return chosen


def mix_images(images: Tensor, drawn: MixDraw) -> Tensor:
    """Mix images as drawn; clean ones stay to the bit.

    Args:
        images: (B, C, H, W), float32, on any device.
        drawn: What `draw_mix` gave for the same batch.

    Returns:
        New images (B, C, H, W).
    """
    rows = (drawn.weight < 1).nonzero()[:, 0]
    if not len(rows):
        return images
    there, others = send(rows, images.device), send(drawn.partner[rows], images.device)
    if drawn.boxes is None:
        weight = send(drawn.weight[rows], images.device)[:, None, None, None]
        mixed = images[there] * weight + images[others] * (1 - weight)
    else:
        inside = box_mask(send(drawn.boxes[rows], images.device), *images.shape[2:])
        mixed = torch.where(inside, images[others], images[there])
    return images.index_copy(0, there, mixed)


def mixed_labels(labels: Tensor, drawn: MixDraw) -> Mix:
    """Mix the labels (B,) int64 of images, on the CPU, as `mix_images` mixes the images."""
    return Mix(labels[drawn.partner], drawn.weight, drawn.weight == 1)


def _boxes(weight: Tensor, size: tuple[int, int], centre: Tensor) -> Tensor:
    """Return boxes (B, 4) of area 1 - weight around centres (2, B) in 0...1, cut at the edges."""
    height, width = size
    ratio = (1 - weight).sqrt()
    tall, wide = (height * ratio).long(), (width * ratio).long()
    row, column = (height * centre[0]).long(), (width * centre[1]).long()
    top, bottom = (row - tall // 2).clamp(0, height), (row - tall // 2 + tall).clamp(0, height)
    left, right = (column - wide // 2).clamp(0, width), (column - wide // 2 + wide).clamp(0, width)
    return torch.stack((top, left, bottom - top, right - left), dim=1)
