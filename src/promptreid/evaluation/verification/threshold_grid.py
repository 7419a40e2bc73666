"""A few thousand thresholds that stand for all."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from promptreid.evaluation.verification.float_order import next_above
from promptreid.transfer import send

STEP = 1.005
"""Ratio of the numbers of impostors above neighbouring thresholds."""

PARTS = 1000
"""Parts of the genuine scores that the thresholds tell apart."""

FEW = 2000
"""Up to so many scores of each kind, every change that a threshold can make is among them."""


class ThresholdGrid:
    """Picks thresholds out of impostor scores that come in sorted blocks.

    Each block gives its scores at ranks 1, 2, 3, ... from the top, then ever further apart. Sorted
    together and weighed by the scores they stand for, they place thresholds at nearly equal steps
    of the logarithm of FAR: exactly at the top, within a percent elsewhere. Every threshold is a
    score or the number just above it, so that counts at thresholds are exact.
    """

    def __init__(self) -> None:
        self._values: list[Tensor] = []
        self._weights: list[Tensor] = []

    def add(self, ordered: Tensor) -> None:
        """Take the scores of one block, (L,) float32 rising."""
        ranks = _choose_ranks(len(ordered))
        self._values.append(ordered[send(len(ordered) - ranks, ordered.device)])
        self._weights.append(ranks.diff(prepend=ranks.new_zeros(1)))

    def thresholds(self, genuine: Tensor) -> tuple[float, ...]:
        """Give the thresholds, rising.

        Args:
            genuine: (M,) all genuine scores, rising.
        """
        values, order = torch.cat(self._values).cpu().sort(descending=True)
        reached = torch.cat(self._weights)[order].cumsum(0)
        genuine = genuine.cpu()
        if int(reached[-1]) <= FEW and len(genuine) <= FEW:
            both = torch.cat([values, genuine])
            return tuple(torch.cat([both, next_above(both)]).unique().tolist())
        levels = (reached.double().log() / math.log(STEP)).floor()
        first = torch.cat([levels.new_ones(1), levels.diff()]) > 0
        rows = torch.linspace(0, len(genuine) - 1, min(PARTS, len(genuine))).long()
        # Just above an impostor is where the most genuine pairs pass for its rate.
        return tuple(torch.cat([next_above(values[first]), genuine[rows]]).unique().tolist())


def _choose_ranks(count: int) -> Tensor:
    """Return the ranks 1 to `count`: all of a few, else ever further apart, with the last."""
    if count <= FEW:
        return torch.arange(1, count + 1)
    steps = torch.arange(math.ceil(math.log(count) / math.log(STEP)), dtype=torch.float64)
    ranks = (STEP**steps).long().clamp(max=count)
    return torch.cat([ranks, torch.tensor([count])]).unique()
