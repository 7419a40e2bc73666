"""How many entries of each row reach given values, without sorting what lies below them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Picking entries out one by one costs more than copying the row beyond this share of them.
_MOST_PICKED = 0.25


def count_reaching(rows: Tensor, values: Tensor) -> Tensor:
    """Count the entries of each row that are at least as large as values.

    Only entries that reach the lowest value of their row are sorted: with a model that finds its
    matches, few.

    Args:
        rows: (B, G) float32, no NaN.
        values: (B, P) float32 in any order, no NaN; infinity where nothing is to be counted.

    Returns:
        (B, P) int64.
    """
    if rows.device.type != "cpu":
        ordered = rows.sort(dim=1).values
        return rows.shape[1] - torch.searchsorted(ordered, values.contiguous())
    entries, wanted = rows.numpy(), values.numpy()
    counts = np.empty(wanted.shape, dtype=np.int64)

    def work(part: NDArray[np.int64]) -> None:
        for row in part:
            counts[row] = _count(entries[row], wanted[row])

    # NumPy compares and sorts float32 with vector instructions, and lets other threads run.
    workers = max(1, min(torch.get_num_threads(), len(entries)))
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(work, np.array_split(np.arange(len(entries)), workers)):
            pass
    return torch.from_numpy(counts)


def _count(row: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.int64]:
    reaches = row >= values.min(initial=np.inf)
    few = np.count_nonzero(reaches) <= _MOST_PICKED * len(row)
    kept = row.compress(reaches) if few else row.copy()
    kept.sort()
    return len(kept) - kept.searchsorted(values)
