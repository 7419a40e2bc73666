"""How many entries of each row reach given values, without sorting what lies below them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Entries that a thread looks at together: they stay near its core, and calls are few enough that
# threads do not wait for each other.
_PART = 2**18
# Picking entries out one by one costs more than sorting whole rows beyond this share of them.
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

    size = max(1, _PART // max(1, entries.shape[1]))

    def work(start: int) -> None:
        part = slice(start, start + size)
        _count(entries[part], wanted[part], counts[part])

    # NumPy compares and sorts float32 with vector instructions, and lets other threads run.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for _ in pool.map(work, range(0, len(entries), size)):
            pass
    return torch.from_numpy(counts)


def _count(
    rows: NDArray[np.float32], values: NDArray[np.float32], counts: NDArray[np.int64]
) -> None:
    lowest = values.min(axis=1, initial=np.inf, keepdims=True)
    cells = np.flatnonzero(rows >= lowest)
    if len(cells) > _MOST_PICKED * rows.size:
        parts = list(rows)
    else:
        ends = np.arange(1, len(rows)) * rows.shape[1]
        parts = np.split(rows.ravel()[cells], np.searchsorted(cells, ends))
    for part, wanted, count in zip(parts, values, counts, strict=True):
        count[:] = len(part) - np.sort(part).searchsorted(wanted)
