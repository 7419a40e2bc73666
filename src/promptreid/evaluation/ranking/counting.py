"""How often whole numbers occur, and how many entries of each row reach given values."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Entries that are looked at together, so that they stay near the processor.
_PART = 2**18
# Picking entries out one by one costs more than sorting whole rows beyond this share of them.
_MOST_PICKED = 0.25


def count_numbers(numbers: Tensor, size: int) -> Tensor:
    """Count whole numbers on their device, without making the host wait for it.

    Args:
        numbers: (N,) whole numbers from 0 and below `size`.
        size: How many numbers there are to count.

    Returns:
        (size,) int64.
    """
    if numbers.device.type == "cpu":
        return torch.bincount(numbers, minlength=size)
    # Counting by `bincount` would wait for the device, to learn the largest number.
    ones = torch.ones_like(numbers, dtype=torch.int64)
    return torch.zeros(size, dtype=torch.int64, device=numbers.device).index_add_(0, numbers, ones)


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
    crowded: list[int] = []
    # One thread: after a matrix product the others still wait for the next one at full speed, and
    # would take the time of any that are started here.
    for start in range(0, len(entries), size):
        part = slice(start, start + size)
        reaches = entries[part] >= wanted[part].min(axis=1, initial=np.inf, keepdims=True)
        if np.count_nonzero(reaches) > _MOST_PICKED * reaches.size:
            crowded.extend(range(start, start + len(reaches)))
        else:
            counts[part] = _count_picked(entries[part], np.flatnonzero(reaches), wanted[part])

    def sort(row: int) -> None:
        counts[row] = entries.shape[1] - np.sort(entries[row]).searchsorted(wanted[row])

    if crowded:
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            for _ in pool.map(sort, crowded):
                pass
    return torch.from_numpy(counts)


def _count_picked(
    rows: NDArray[np.float32], cells: NDArray[np.int64], values: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Count among the entries at some places of all rows joined, which are given rising."""
    owner = cells // max(1, rows.shape[1])
    keys = _make_keys(owner, rows.reshape(-1)[cells])
    keys.sort()
    number = np.arange(len(rows))
    ends = np.searchsorted(owner, number, side="right")
    return ends[:, None] - keys.searchsorted(_make_keys(number[:, None], values))


def _make_keys(owner: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return whole numbers that rise with the row, and within it with the value."""
    # Adding zero turns -0 into +0. The bits of a negative float fall while its value rises.
    bits = (values + np.float32(0)).view(np.int32)
    return (owner << 32) + (bits ^ ((bits >> 31) & 0x7FFFFFFF))
