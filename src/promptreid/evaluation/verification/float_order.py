"""The order of float32 numbers as whole numbers, for exact counting without sorting everything.

The bits of a float32, read as a whole number with those of negative values turned round, rise with
the value. The upper 20 bits number a bucket of neighbouring values, the lower 12 bits name each
value inside it, so that two tables of counts find any order statistic exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from promptreid.evaluation.ranking.counting import count_numbers

LOW_BITS = 12
BUCKETS = 2 ** (32 - LOW_BITS)
INSIDE = 2**LOW_BITS

_MAGNITUDE = 0x7FFFFFFF
_HALF = BUCKETS // 2


def order_keys(values: Tensor) -> Tensor:
    """Map float32 values without NaN to int32 keys of the same order; both zeros get one key."""
    # Adding zero turns -0 into +0.
    bits = (values + 0.0).view(torch.int32)
    return bits ^ ((bits >> 31) & _MAGNITUDE)


def from_keys(keys: Tensor) -> Tensor:
    """Map int32 keys back to float32 values."""
    return (keys ^ ((keys >> 31) & _MAGNITUDE)).view(torch.float32)


def bucket_counts(values: Tensor) -> Tensor:
    """Count float32 values by bucket, (2**20,) int64; minus infinity counts nowhere."""
    counts = count_numbers(_number_buckets(values).reshape(-1), BUCKETS)
    counts[int(_number_buckets(torch.tensor(-torch.inf)))] = 0
    return counts


def bucket_values(bucket: int) -> Tensor:
    """Give the 4096 values of a bucket in rising order."""
    first = (bucket - _HALF) << LOW_BITS
    return from_keys(torch.arange(first, first + INSIDE, dtype=torch.int32))


def bucket_starts(buckets: Tensor) -> Tensor:
    """Give the smallest float32 value of each bucket."""
    return from_keys(((buckets - _HALF) << LOW_BITS).to(torch.int32))


def inside_counts(values: Tensor) -> Tensor:
    """Count values of one bucket by their lower 12 bits, (4096,) int64."""
    return count_numbers(order_keys(values) & (INSIDE - 1), INSIDE)


def next_above(values: Tensor | float) -> Tensor:
    """Give the smallest float32 above each value."""
    values = torch.as_tensor(values, dtype=torch.float32)
    return torch.nextafter(values, values.new_tensor(torch.inf))


def _number_buckets(values: Tensor) -> Tensor:
    return (order_keys(values) >> LOW_BITS).add_(_HALF)
