"""How pairs of strangers score: kept with a threshold, so that a score can be told as "1 in N".

All pairs are counted, in one pass and in memory that does not grow with their number: the highest
scores one by one, the rest by buckets of neighbouring float32 numbers. What is kept are some
scores with the exact number of pairs that reach them, close enough that the counts of two
neighbouring scores differ by at most a twentieth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.thresholds.pair_sets import PairSet, impostor_scores, pair_sets
from promptreid.evaluation.verification.float_order import BUCKETS, bucket_counts, bucket_starts
from promptreid.json_record import JsonRecord

_HIGHEST = 1024
"""Scores that are kept one by one, from the highest on, before they are thinned out."""

_STEP = 1.05
"""Largest ratio of the counts of two neighbouring kept scores, beyond the first few."""


@dataclass(frozen=True)
class StrangerScores(JsonRecord):
    """Scores of pairs of images of different identities, thinned out; the counts are exact.

    Attributes:
        pairs: Number of pairs that were scored.
        scores: Some of their scores, or numbers between them, falling.
        reaching: For each, how many of the pairs score at least as much; rising.

    Raises:
        ValueError: The numbers are out of order, or there are more than `pairs`.
    """

    pairs: int
    scores: tuple[float, ...]
    reaching: tuple[int, ...]

    def __post_init__(self) -> None:
        falling = all(high > low for high, low in pairwise(self.scores))
        rising = all(0 < few < more for few, more in pairwise((*self.reaching, self.pairs + 1)))
        whole = len(self.scores) == len(self.reaching) and all(map(math.isfinite, self.scores))
        if not (falling and rising and whole):
            raise ValueError("scores of strangers must fall and their counts rise up to all pairs")

    def reached(self, score: float) -> int:
        """Count the pairs that score at least as much.

        Exact at the kept scores. Between two of them it is the count of the lower one, so that a
        score is never told to be rarer than it is.
        """
        if not self.scores or score > self.scores[0]:
            return 0
        place = int(np.searchsorted(-np.array(self.scores), -score, side="left"))
        return self.reaching[place] if place < len(self.scores) else self.pairs


def stranger_scores(sets: Sequence[Embeddings | PairSet]) -> StrangerScores:
    """Score all unordered pairs of different identities within each set of images."""
    counts, highest = torch.zeros(BUCKETS, dtype=torch.int64), torch.empty(0)
    for part in impostor_scores(pair_sets(sets)):
        counts += bucket_counts(part)
        joined = torch.cat([highest, part[part > -torch.inf]])
        highest = joined.topk(min(_HIGHEST, len(joined))).values
    pairs = int(counts.sum())
    if pairs > len(highest):  # further pairs may score as much as the lowest of these
        highest = highest[highest > highest.min()]
    return StrangerScores(pairs, *_thin_out(*_list_points(highest, counts)))


def _list_points(highest: Tensor, counts: Tensor) -> tuple[list[float], list[int]]:
    """Give falling scores and how many pairs reach them: the highest, then starts of buckets."""
    values, times = highest.unique(return_counts=True)
    scores = values.flip(0).tolist()
    reaching = times.flip(0).cumsum(0).tolist()
    used = counts.nonzero()[:, 0].flip(0)
    starts = bucket_starts(used)
    below = starts < (highest.min() if len(highest) else torch.inf)
    scores += starts[below].tolist()
    reaching += counts[used].cumsum(0)[below].tolist()
    return scores, reaching


def _thin_out(
    scores: Sequence[float], reaching: Sequence[int]
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Leave out scores whose neighbours differ little in count; the first and the last stay."""
    chosen: list[int] = []
    for place, count in enumerate(reaching):
        before = reaching[chosen[-1]] if chosen else 0
        following = reaching[place + 1] if place + 1 < len(reaching) else math.inf
        if count > before and following > _STEP * before:
            chosen.append(place)
    return tuple(scores[place] for place in chosen), tuple(reaching[place] for place in chosen)
