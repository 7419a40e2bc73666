"""Exact ranks of the matches of a query.

The rank of a match is one plus the number of kept gallery images that are closer to the query.
Counting them needs the values of a row of similarities, not the order of the gallery, and all of
`promptreid.evaluation.metrics` follow from the ranks alone.

Ties: among equally similar images the one with the lower gallery row counts as closer, as in a
stable sort by falling similarity. The ranks therefore depend on nothing but the similarities.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from promptreid.evaluation.ranking.counting import count_reaching
from promptreid.transfer import send

# Rows in which a match is as close as another image are sorted with their indices, few at a time.
TIED_ROWS = 64


@dataclass(frozen=True, eq=False)
class RankedMatches:
    """The matches of B queries, from which every metric is computed.

    Attributes:
        ranks: (B, P) int64 ranks from 1, rising along each row; zeros after the last match.
        ap: The definition of average precision that the protocol calls mAP.
    """

    ranks: Tensor
    ap: str = "step"

    @cached_property
    def is_match(self) -> Tensor:
        """(B, P) whether there is a match, and no padding."""
        return self.ranks > 0

    @cached_property
    def count(self) -> Tensor:
        """(B,) int64 number of matches of each query."""
        return self.is_match.sum(1)

    @property
    def first(self) -> Tensor:
        """(B,) int64 rank of the first match, 0 without one."""
        return self.ranks[:, 0]

    @property
    def last(self) -> Tensor:
        """(B,) int64 rank of the last match, 0 without one."""
        return self.ranks.amax(1)

    @cached_property
    def precision(self) -> Tensor:
        """(B, P) float64 precision i / r_i at the i-th match; 0 after the last match."""
        return torch.where(self.is_match, self._position / self._rank, 0.0)

    @cached_property
    def precision_before(self) -> Tensor:
        """(B, P) float64 precision (i - 1) / (r_i - 1) just before the i-th match.

        1 for a match at rank 1, which has nothing before it; 0 after the last match.
        """
        rank = self._rank
        before = torch.where(rank > 1, (self._position - 1) / (rank - 1).clamp(min=1), 1.0)
        return torch.where(self.is_match, before, 0.0)

    @cached_property
    def _rank(self) -> Tensor:
        """(B, P) float64 ranks, 1 after the last match."""
        return self.ranks.to(torch.float64).masked_fill(~self.is_match, 1)

    @cached_property
    def _position(self) -> Tensor:
        """(P,) float64 position i of each match among those of its query, from 1."""
        columns = self.ranks.shape[1]
        return torch.arange(1, columns + 1, device=self.ranks.device, dtype=torch.float64)


def match_ranks(similarity: Tensor, index: Tensor, match: Tensor) -> Tensor:
    """Rank the matches of each query among the gallery.

    Args:
        similarity: (B, G) similarity of B queries to the gallery, larger is closer, no NaN. Images
            to be left out of a query's ranking are minus infinity.
        index: (B, P) gallery rows of candidates of each query, on the CPU.
        match: (B, P) which candidates are matches, on the CPU; the others are padding or left out.

    Returns:
        (B, P) int64 ranks from 1 on the CPU, rising along each row; zeros after the last match. A
        device is waited for once, and once more for every `TIED_ROWS` rows with ties.
    """
    device = similarity.device
    there = send(index, device)
    values = similarity.gather(1, there).masked_fill_(send(~match, device), torch.inf)
    higher = torch.nextafter(values, torch.full_like(values, torch.inf))
    counts = count_reaching(similarity, torch.cat([values, higher], 1)).cpu()
    reaching, closer = counts.chunk(2, dim=1)
    ranks = closer + 1
    tied = match & (reaching - closer > 1)
    unclear = tied.any(1).nonzero()[:, 0]
    for rows in unclear.split(TIED_ROWS) if len(unclear) else ():
        chosen = send(rows, device)
        ranks[rows] = _place_entries(similarity[chosen]).gather(1, there[chosen]).cpu()
    beyond = similarity.shape[1] + 1
    ranks = ranks.masked_fill(~match, beyond).sort(dim=1).values
    return ranks.masked_fill(ranks == beyond, 0)


def cumulative_matches(first_ranks: Tensor, max_rank: int) -> Tensor:
    """Compute the CMC curve.

    Args:
        first_ranks: (Q,) rank of the first match of each query, 0 for a query without a match.
        max_rank: Length K of the curve. It may exceed the gallery; the curve stays at 1 there.

    Returns:
        (K,) float64: the share of queries with a match that find one within rank 1, 2, ..., K.
    """
    ranks = first_ranks[first_ranks > 0]
    hits = torch.bincount(ranks[ranks <= max_rank], minlength=max_rank + 1)[1:]
    return hits.cumsum(0).to(torch.float64) / len(ranks)


def _place_entries(similarity: Tensor) -> Tensor:
    """Give every entry its place from 1 in a stable sort of its row by falling value."""
    order = similarity.sort(dim=1, descending=True, stable=True).indices
    place = torch.arange(1, similarity.shape[1] + 1, device=similarity.device)
    return torch.empty_like(order).scatter_(1, order, place.expand_as(order))
