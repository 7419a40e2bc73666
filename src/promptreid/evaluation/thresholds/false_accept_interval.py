"""How sure a false accept rate is: the pairs of strangers that a threshold accepts, by identity."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.thresholds.pair_sets import PairSet, pair_sets
from promptreid.evaluation.uncertainty.resampling import BOOTSTRAP, Bootstrap


def far_interval(
    sets: Sequence[Embeddings | PairSet],
    threshold: float,
    bootstrap: Bootstrap = BOOTSTRAP,
) -> tuple[float, float]:
    """Say between which rates a threshold accepts strangers when identities are drawn anew.

    Whole identities are drawn with replacement, as in
    `promptreid.evaluation.uncertainty.intervals`, since two look-alikes make many accepted pairs at
    once. A pair of two identities counts as often as both are drawn: the product. Resamples that
    hold no pair are left out.

    Where no pair is accepted, resampling would give zero. Then the upper end is the rate at which
    that still happens once in twenty times to as many independent pairs as the identities can form
    without using one twice.

    Args:
        sets: Sets of images; pairs are made within a set only.
        threshold: The score from which on a pair is accepted.
        bootstrap: How identities are drawn.
    """
    parts = pair_sets(sets)
    names = sorted({name for part in parts for name in part.embeddings.identities})
    numbers = {name: number for number, name in enumerate(names)}
    weights = bootstrap.weights(len(names))
    accepted, pairs = (torch.zeros(len(weights)).double() for _ in range(2))
    for part in parts:
        rows = torch.tensor([numbers[name] for name in part.embeddings.identities])
        accepted += _count_accepted(part, rows, threshold, weights)
        pairs += _count_impostor_pairs(rows, weights)
    rates = (accepted / pairs)[pairs > 0]
    if not len(rates):
        return 0.0, 1.0
    if not bool(accepted.any()):
        return 0.0, 1 - (1 - bootstrap.level) ** (1 / max(1, len(names) // 2))
    return bootstrap.percentiles(rates)


def _count_accepted(part: PairSet, rows: Tensor, threshold: float, weights: Tensor) -> Tensor:
    """Return the accepted pairs of different identities in each resample, (R,)."""
    total = torch.zeros(len(weights)).double()
    width = weights.shape[1]
    for block in part.blocks(exclude_camera=False):
        query, gallery = (block.impostors >= threshold).nonzero().unbind(1)
        first, second = rows[query + block.queries.start], rows[gallery]
        keys, times = (first * width + second).unique(return_counts=True)
        for some, counts in zip(keys.split(4096), times.split(4096), strict=True):
            both = weights[:, some // width] * weights[:, some % width]
            total += both @ counts.double()
    return total


def _count_impostor_pairs(rows: Tensor, weights: Tensor) -> Tensor:
    """Return all pairs of different identities in each resample, (R,)."""
    drawn = weights * torch.bincount(rows, minlength=weights.shape[1])
    return (drawn.sum(1).square() - drawn.square().sum(1)) / 2
