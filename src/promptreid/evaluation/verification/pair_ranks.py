"""Exact ranks and thresholds of all pairs in two passes over their blocks.

The first pass keeps the genuine scores and counts the impostors in a million buckets of
neighbouring numbers. The counts say which few buckets hold the thresholds; the second pass counts
those bit by bit, and counts the impostors above every genuine score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from promptreid.errors import EvaluationError
from promptreid.evaluation.verification.float_order import (
    BUCKETS,
    INSIDE,
    bucket_counts,
    bucket_starts,
    bucket_values,
    inside_counts,
    next_above,
)
from promptreid.evaluation.verification.pairs import PairBlock
from promptreid.evaluation.verification.roc import (
    GenuineRanks,
    OperatingPoint,
    allowed_accepts,
    draw_curve,
    find_equal_errors,
)
from promptreid.evaluation.verification.threshold_grid import ThresholdGrid
from promptreid.evaluation.verification.verification_result import Histogram, VerificationResult
from promptreid.transfer import send

HISTOGRAM_BINS = 100


@dataclass(frozen=True, eq=False)
class _FilledBuckets:
    """The buckets that hold pairs, of a million; at the others no count changes.

    Attributes:
        numbers: (K,) numbers of the buckets, rising.
        impostors: (K,) impostors in each.
        genuine: (K,) genuine pairs in each.
        above: (K,) impostors in all higher buckets.
    """

    numbers: Tensor
    impostors: Tensor
    genuine: Tensor
    above: Tensor


def rank_pairs(pairs: Iterable[PairBlock], fars: Sequence[float]) -> VerificationResult:
    """Rank all genuine scores among the impostors, and place the thresholds.

    Args:
        pairs: Gives the same blocks each time it is iterated over, of which it is twice.
        fars: False accept rates, above 0 and below 1.

    Raises:
        EvaluationError: There is no genuine or no impostor pair.
    """
    genuine, counts = _count_buckets(pairs)
    impostors = int(counts.sum())
    _check_both_kinds(len(genuine), impostors)
    buckets = _select_filled(counts, bucket_counts(genuine).cpu())
    middle = _find_eer_bucket(buckets)
    ranks_wanted = [allowed_accepts(far, impostors) + 1 for far in fars]
    wanted = {middle}
    for rank in ranks_wanted:
        wanted |= _find_buckets(buckets, rank)
    above = dict(zip(buckets.numbers.tolist(), buckets.above.tolist(), strict=True))
    grid = ThresholdGrid()
    ranks, exact, histogram = _count_exactly(
        pairs, genuine, _choose_edges(genuine, buckets), sorted(wanted), grid
    )
    points = tuple(
        _place(ranks, far, rank, exact, above) for far, rank in zip(fars, ranks_wanted, strict=True)
    )
    return VerificationResult(
        points=points,
        eer=ranks.eer(),
        eer_threshold=_find_eer_threshold(genuine, ranks, middle, exact[middle], above[middle]),
        auc=ranks.auc(),
        genuine=ranks.genuine,
        impostors=impostors,
        curve=draw_curve(ranks),
        histogram=histogram,
        grid=grid.thresholds(genuine),
    )


def _count_buckets(pairs: Iterable[PairBlock]) -> tuple[Tensor, Tensor]:
    """Return the genuine scores in rising order, and the impostors by bucket, on the CPU."""
    parts: list[Tensor] = []
    counts = torch.zeros(BUCKETS, dtype=torch.int64)
    for block in pairs:
        parts.append(block.genuine)
        counted = bucket_counts(block.impostors)
        counts = send(counts, counted.device)
        counts += counted
    return torch.cat(parts).sort().values, counts.cpu()


def _check_both_kinds(genuine: int, impostors: int) -> None:
    if not genuine:
        raise EvaluationError(
            "No pair of query and gallery shows one identity (pairs of one camera may be left out "
            "by the rule of the protocol), so nothing can be verified. Check how the data set is "
            'split, or evaluate with same_camera="keep".'
        )
    if not impostors:
        raise EvaluationError(
            "All pairs of query and gallery show one identity, so no false accept can be counted. "
            "Verification needs at least two identities."
        )


def _select_filled(impostors: Tensor, genuine: Tensor) -> _FilledBuckets:
    """Keep the buckets of which either kind has pairs."""
    numbers = (impostors + genuine).nonzero()[:, 0]
    counts = impostors[numbers]
    return _FilledBuckets(numbers, counts, genuine[numbers], counts.sum() - counts.cumsum(0))


def _choose_edges(genuine: Tensor, buckets: _FilledBuckets) -> Tensor:
    """Return the edges of the histogram, as float32."""
    filled = buckets.numbers[buckets.impostors > 0]
    bounds = bucket_starts(torch.stack([filled[0], filled[-1] + 1]))
    low = min(float(genuine[0]), float(bounds[0]))
    high = max(float(genuine[-1]), float(bounds[1]))
    return torch.linspace(low, high, HISTOGRAM_BINS + 1)


def _find_buckets(buckets: _FilledBuckets, rank: int) -> set[int]:
    """Return the bucket that holds the rank-th highest impostor, and the filled one above it."""
    filled = buckets.impostors > 0
    # The highest bucket that has fewer than `rank` above it and at least `rank` with its own.
    holds = filled & (buckets.above < rank) & (buckets.above + buckets.impostors >= rank)
    holder = int(buckets.numbers[holds][0])
    higher = buckets.numbers[filled & (buckets.numbers > holder)]
    return {holder} | ({int(higher[0])} if len(higher) else set())


def _find_eer_bucket(buckets: _FilledBuckets) -> int:
    """Return the bucket in which FAR passes 1 - TAR when the threshold falls."""
    impostors, genuine = int(buckets.impostors.sum()), int(buckets.genuine.sum())
    false = buckets.above + buckets.impostors
    missed = buckets.genuine.cumsum(0) - buckets.genuine
    return int(
        buckets.numbers.flip(0)[
            find_equal_errors(false.flip(0), missed.flip(0), impostors, genuine)
        ]
    )


def _count_exactly(
    pairs: Iterable[PairBlock],
    genuine: Tensor,
    edges: Tensor,
    wanted: list[int],
    grid: ThresholdGrid,
) -> tuple[GenuineRanks, dict[int, Tensor], Histogram]:
    """Count impostors above each genuine score, inside the wanted buckets, and by histogram bin."""
    device = genuine.device
    scores, weights = genuine.unique_consecutive(return_counts=True)
    above, reaching = (torch.zeros_like(weights) for _ in range(2))
    bounds = bucket_starts(torch.tensor(wanted)[:, None] + torch.tensor([0, 1])).flatten()
    lowest = bounds.new_tensor([torch.finfo(torch.float32).min])
    cuts = torch.cat([lowest, bounds]).to(device)
    exact = {bucket: torch.zeros(INSIDE, dtype=torch.int64, device=device) for bucket in wanted}
    edges = edges.to(device)
    inner = torch.zeros(len(edges) - 2, dtype=torch.int64, device=device)
    total = 0
    for block in pairs:
        ordered = _sort_values(block.impostors)
        # Where the pairs begin, behind minus infinity, and where the wanted buckets lie.
        first, *ends = torch.searchsorted(ordered, cuts).tolist()
        ordered = ordered[first:]
        total += len(ordered)
        grid.add(ordered)
        above += len(ordered) - torch.searchsorted(ordered, scores, right=True)
        reaching += len(ordered) - torch.searchsorted(ordered, scores)
        inner += len(ordered) - torch.searchsorted(ordered, edges[1:-1])
        for bucket, start, stop in zip(wanted, ends[::2], ends[1::2], strict=True):
            exact[bucket] += inside_counts(ordered[start - first : stop - first])
    accepted = weights.flip(0).cumsum(0)
    ranks = GenuineRanks(
        scores.flip(0).cpu(), accepted.cpu(), above.flip(0).cpu(), reaching.flip(0).cpu(), total
    )
    inner_genuine = len(genuine) - torch.searchsorted(genuine, edges[1:-1])
    bins = _count_bins(inner_genuine, len(genuine)), _count_bins(inner, total)
    histogram = Histogram(tuple(edges.tolist()), *bins)
    counted = torch.stack(list(exact.values())).cpu()
    return ranks, dict(zip(exact, counted, strict=True)), histogram


def _count_bins(reaching: Tensor, total: int) -> tuple[int, ...]:
    """Turn counts at or above each inner edge into counts by bin."""
    levels = [total, *reaching.tolist(), 0]
    return tuple(high - low for high, low in pairwise(levels))


def _sort_values(values: Tensor) -> Tensor:
    """Sort all values of a block, rising, as one row."""
    if values.device.type != "cpu":
        return values.reshape(-1).sort().values
    # NumPy sorts float32 values with vector instructions, far faster than torch.
    flat = values.numpy().reshape(-1).copy()
    flat.sort()
    return torch.from_numpy(flat)


def _place(
    ranks: GenuineRanks, far: float, rank: int, exact: dict[int, Tensor], above: dict[int, int]
) -> OperatingPoint:
    """Place one threshold: the rank-th highest impostor is the first to be refused."""
    if rank == 1:
        return OperatingPoint(far, None, None, 0, ranks.impostors)
    # All exactly counted impostors around the threshold, falling: value, and how many reach it.
    refused, passed, next_impostor = float("-inf"), 0, float("inf")
    for bucket in sorted(exact, reverse=True):
        counts = exact[bucket].flip(0)
        reach = above[bucket] + counts.cumsum(0)
        values = bucket_values(bucket).flip(0)
        filled = counts > 0
        passing = filled & (reach < rank)
        if bool(passing.any()):
            last = int(passing.nonzero()[-1])
            passed, next_impostor = int(reach[last]), float(values[last])
        beyond = filled & (reach >= rank)
        if bool(beyond.any()):
            refused = float(values[int(beyond.nonzero()[0])])
            break
    true, lowest = ranks.accepted_within(rank - 1)
    threshold = min(lowest, next_impostor)
    if threshold == float("inf"):
        threshold = float(next_above(refused))
    return OperatingPoint(far, threshold, true / ranks.genuine, passed, ranks.impostors)


def _find_eer_threshold(
    genuine: Tensor, ranks: GenuineRanks, bucket: int, inside: Tensor, above: int
) -> float:
    """Return the highest score in a bucket from which on FAR is at least 1 - TAR."""
    bounds = bucket_starts(torch.tensor([bucket, bucket + 1])).to(genuine.device)
    start, stop = torch.searchsorted(genuine, bounds).tolist()
    inside_genuine = inside_counts(genuine[start:stop]).cpu().flip(0)
    false = above + inside.flip(0).cumsum(0)
    true = len(genuine) - stop + inside_genuine.cumsum(0)
    place = find_equal_errors(false, ranks.genuine - true, ranks.impostors, ranks.genuine)
    return float(bucket_values(bucket).flip(0)[place])
