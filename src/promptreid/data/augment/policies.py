"""Random colour changes and the published policies, drawn image by image.

- RandAugment (Cubuk et al., NeurIPS 2020): some of 14 operations one after the other, all of one
  strength.
- TrivialAugment (Müller and Hutter, ICCV 2021), wide space: one of them, of random strength.
- AugMix (Hendrycks et al., ICLR 2020): three chains of one to three of nine operations, averaged
  with random weights and mixed into the image. Its consistency loss is not part of it.
- Colour jitter: brightness, contrast, saturation and hue in random order.

Strengths are those of the papers' code. Solarising starts from level 256, which changes nothing;
with 255, as torchvision has it, the weakest strength would turn a white background black.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Generator, Tensor

from promptreid.config.augment import ColorJitterConfig, PolicyConfig
from promptreid.data.augment.magnitudes import AUGMIX, RANDAUGMENT, TRIVIALAUGMENT, Space
from promptreid.data.augment.operations import IDENTITY, NAMES, perform
from promptreid.transfer import send

_CHAINS, _DEPTH = 3, 3
_MOST_STRONG, _MOST_SEVERE = 30, 10  # of the settings `magnitude` and `severity`


@dataclass(frozen=True)
class OperationPlan:
    """Operations of a batch, on the CPU.

    Attributes:
        which: Places in `promptreid.data.augment.operations.NAMES`, (S, B) int64: the s-th
            operation of each image. What an image is left alone by is the identity.
        strength: Strength of each of these operations, (S, B) float64.
    """

    which: Tensor
    strength: Tensor

    def run(self, batch: Tensor) -> Tensor:
        """Change pixels (B, 3, H, W), uint8, on any device, by one operation after the other."""
        for which, strength in zip(self.which, self.strength, strict=True):
            batch = perform(batch, which, strength)
        return batch


def color_jitter(batch: Tensor, config: ColorJitterConfig, generator: Generator) -> Tensor:
    """Change brightness, contrast, saturation and hue of some images, in random order.

    A factor is uniform between one minus and one plus its setting, never below 0; the hue turns by
    up to its setting in either direction.

    Args:
        batch: Pixels (B, 3, H, W), uint8, on any device.
        config: Probability and ranges.
        generator: A CPU generator; it moves on.
    """
    return _draw_color_jitter(len(batch), config, generator).run(batch)


def _draw_color_jitter(
    count: int, config: ColorJitterConfig, generator: Generator
) -> OperationPlan:
    names = ("brightness", "contrast", "saturation", "hue")
    spreads = {name: getattr(config, name) for name in names}
    chance = torch.rand(count, generator=generator, dtype=torch.float64)
    uniform, place = torch.rand(2, len(spreads), count, generator=generator, dtype=torch.float64)
    which = torch.empty((len(spreads), count), dtype=torch.int64)
    strength = torch.empty((len(spreads), count), dtype=torch.float64)
    for row, (name, spread) in enumerate(spreads.items()):
        middle = 0.0 if name == "hue" else 1.0
        low = -spread if name == "hue" else max(0.0, middle - spread)
        strength[row] = low + (middle + spread - low) * uniform[row]
        which[row] = NAMES.index(name) if spread > 0 else IDENTITY
    which[:, chance >= config.probability] = IDENTITY
    order = place.argsort(dim=0)
    return OperationPlan(which.gather(0, order), strength.gather(0, order))


def policy(batch: Tensor, config: PolicyConfig, generator: Generator) -> Tensor:
    """Change some images by a published policy.

    Args:
        batch: Pixels (B, 3, H, W), uint8, on any device.
        config: Which policy, how likely, how strong.
        generator: A CPU generator; it moves on.
    """
    chance = torch.rand(len(batch), generator=generator, dtype=torch.float64)
    return _POLICIES[config.name](batch, chance < config.probability, config, generator)


def _randaugment(batch: Tensor, used: Tensor, config: PolicyConfig, generator: Generator) -> Tensor:
    shape = (config.operations, len(batch))
    level = torch.full(shape, config.magnitude / _MOST_STRONG, dtype=torch.float64)
    return _draw(RANDAUGMENT, level, used, batch.shape[2:], generator).run(batch)


def _trivialaugment(
    batch: Tensor, used: Tensor, config: PolicyConfig, generator: Generator
) -> Tensor:
    magnitude = torch.randint(_MOST_STRONG + 1, (1, len(batch)), generator=generator)
    level = magnitude.to(torch.float64) / _MOST_STRONG
    return _draw(TRIVIALAUGMENT, level, used, batch.shape[2:], generator).run(batch)


def _augmix(batch: Tensor, used: Tensor, config: PolicyConfig, generator: Generator) -> Tensor:
    """Return the weighted mean of each used image and its chains."""
    plan, weights = _draw_augmix(used, config.severity, batch.shape[2:], generator)
    rows = used.nonzero()[:, 0]
    if not len(rows):
        return batch
    there = send(rows, batch.device)
    originals = batch[there]
    total = torch.zeros(originals.shape, device=batch.device)
    for place in range(_CHAINS + 1):
        steps = slice((place - 1) * _DEPTH, place * _DEPTH) if place else slice(0)
        changed = OperationPlan(plan.which[steps, rows], plan.strength[steps, rows]).run(originals)
        # A product and a sum, never fused, so that all devices round alike.
        weight = send(weights[place, rows].float(), batch.device)
        total += changed * weight[:, None, None, None]
    return batch.index_copy(0, there, (total + 0.5).clamp_(0, 255).to(torch.uint8))


def _draw_augmix(
    used: Tensor, severity: int, size: Sequence[int], generator: Generator
) -> tuple[OperationPlan, Tensor]:
    """Draw chains and weights.

    Returns:
        The operations of chain after chain, (9, B) with the identity beyond a chain's end, and the
        weights of the image itself and of its chains, (4, B) float64 of sum 1.
    """
    shape = (_CHAINS * _DEPTH, len(used))
    uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
    level = (0.1 + (severity - 0.1) * uniform) / _MOST_SEVERE
    plan = _draw(AUGMIX, level, used, size, generator)
    depth = torch.randint(1, _DEPTH + 1, (_CHAINS, 1, len(used)), generator=generator)
    beyond = (torch.arange(_DEPTH)[:, None] >= depth).reshape(shape)
    which = torch.where(beyond, IDENTITY, plan.which)
    # torch's Beta and Dirichlet distributions do not draw from a given generator.
    rng = np.random.default_rng(int(torch.randint(1 << 62, (), generator=generator)))
    share = torch.from_numpy(rng.beta(1.0, 1.0, len(used)))
    chains = torch.from_numpy(rng.dirichlet((1.0,) * _CHAINS, len(used))).T
    return OperationPlan(which, plan.strength), torch.cat(((1 - share)[None], chains * share))


def _draw(
    space: Space, level: Tensor, used: Tensor, size: Sequence[int], generator: Generator
) -> OperationPlan:
    """Draw one operation of the space, uniformly, for each level (S, B); none for unused images."""
    choice = torch.randint(len(space), level.shape, generator=generator)
    sign = 2.0 * torch.randint(2, level.shape, generator=generator) - 1
    which, strength = torch.empty_like(choice), torch.empty_like(level)
    for number, (name, span) in enumerate(space.items()):
        chosen = choice == number
        which[chosen] = NAMES.index(name)
        strength[chosen] = span.at(level[chosen], sign[chosen], size)
    which[:, ~used] = IDENTITY
    return OperationPlan(which, strength)


_POLICIES: Mapping[str, Callable[[Tensor, Tensor, PolicyConfig, Generator], Tensor]] = (
    MappingProxyType(
        {"augmix": _augmix, "randaugment": _randaugment, "trivialaugment": _trivialaugment}
    )
)
