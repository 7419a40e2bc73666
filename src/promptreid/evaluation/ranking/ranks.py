"""Exact ranks of the matches of a query, and the scores that follow from them.

The rank of a match is one plus the number of kept gallery images that are closer to the query.
Counting them needs the values of a row of similarities, not the order of the gallery, and average
precision, CMC and mINP follow from the ranks alone.

Ties: among equally similar images the one with the lower gallery row counts as closer, as in a
stable sort by falling similarity. The ranks therefore depend on nothing but the similarities.
"""

from __future__ import annotations

import torch
from torch import Tensor

from promptreid.evaluation.ranking.counting import count_reaching

# Rows in which a match is as close as another image are sorted with their indices, few at a time.
TIED_ROWS = 64


def match_ranks(similarity: Tensor, index: Tensor, match: Tensor) -> Tensor:
    """Rank the matches of each query among the gallery.

    Args:
        similarity: (B, G) similarity of B queries to the gallery, larger is closer, no NaN. Images
            to be left out of a query's ranking are minus infinity.
        index: (B, P) gallery rows of candidates of each query.
        match: (B, P) which candidates are matches; the others are padding or left out.

    Returns:
        (B, P) int64 ranks from 1, rising along each row; zeros after the last match.
    """
    values = similarity.gather(1, index).masked_fill_(~match, torch.inf)
    higher = torch.nextafter(values, torch.full_like(values, torch.inf))
    reaching, closer = count_reaching(similarity, torch.cat([values, higher], 1)).chunk(2, dim=1)
    ranks = closer + 1
    tied = match & (reaching - closer > 1)
    for rows in tied.any(1).nonzero()[:, 0].split(TIED_ROWS):
        ranks[rows] = _places(similarity[rows]).gather(1, index[rows])
    beyond = similarity.shape[1] + 1
    ranks = ranks.masked_fill(~match, beyond).sort(dim=1).values
    return ranks.masked_fill(ranks == beyond, 0)


def average_precision(ranks: Tensor) -> tuple[Tensor, Tensor]:
    """Compute both common definitions of average precision.

    With m matches at ranks r_1 < ... < r_m:

    * step: the mean over i of i / r_i, the precision at each match. Used by torchreid, fast-reid,
      TransReID and CLIP-ReID.
    * trapezoid: the mean over i of (i / r_i + (i - 1) / (r_i - 1)) / 2, where the second term is 1
      for r_i = 1: the area under straight lines between the precision just before and at each
      match. Used by the MATLAB code of Market-1501, by Person_reID_baseline_pytorch and MBA-Net.

    A single match at rank r > 1 scores 1 / r by the first and 1 / (2 r) by the second.

    Args:
        ranks: (B, P) as `match_ranks` gives them.

    Returns:
        (B,) float64 step and trapezoid average precision, NaN for a query without a match.
    """
    found = ranks > 0
    count = found.sum(1)
    rank = ranks.to(torch.float64).masked_fill(~found, 1)
    hits = torch.arange(1, ranks.shape[1] + 1, device=ranks.device, dtype=torch.float64)
    at = torch.where(found, hits / rank, 0.0)
    before = torch.where(rank > 1, (hits - 1) / (rank - 1).clamp(min=1), 1.0)
    before = torch.where(found, before, 0.0)
    step = at.sum(1) / count
    trapezoid = (at + before).sum(1) / (2 * count)
    return step, trapezoid


def inverse_negative_penalty(ranks: Tensor) -> Tensor:
    """Compute INP, the number of matches divided by the rank of the last one.

    The mean over queries is mINP (Ye et al., "Deep Learning for Person Re-identification: A Survey
    and Outlook", 2021): how much has to be looked through to find all images of an identity.

    Args:
        ranks: (B, P) as `match_ranks` gives them.

    Returns:
        (B,) float64, NaN for a query without a match.
    """
    return (ranks > 0).sum(1).to(torch.float64) / ranks.amax(1)


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


def _places(similarity: Tensor) -> Tensor:
    """Give every entry its place from 1 in a stable sort of its row by falling value."""
    order = similarity.sort(dim=1, descending=True, stable=True).indices
    place = torch.arange(1, similarity.shape[1] + 1, device=similarity.device)
    return torch.empty_like(order).scatter_(1, order, place.expand_as(order))
