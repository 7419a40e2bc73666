"""Products of vectors of length 1, the largest of them, and mean vectors, by NumPy alone.

PyTorch is no faster at this and takes a second or two to be loaded, which a command that hides or
erases somebody would spend on nothing else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK = 64
_LEAST_LENGTH = 1e-12


def multiply(queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply (Q, d) by (M, d) of length 1, giving (Q, M) cosines."""
    return queries @ vectors.T


def find_largest(
    scores: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the largest scores of each row; of equal ones those that stand first.

    The maxima of blocks show a score that so many reach, so that few have to be put into order.

    Args:
        scores: (Q, M).
        count: How many are wanted, M at most.

    Returns:
        Their columns and they themselves, (Q, count) each, the largest first.
    """
    columns = np.empty((len(scores), count), np.int64)
    for row, chosen in zip(scores, columns, strict=True):
        if count:
            chosen[:] = _list_largest(row, count)
    return columns, np.take_along_axis(scores, columns, axis=1)


def add_by_code(
    sums: NDArray[np.float32], vectors: NDArray[np.float32], codes: NDArray[np.integer]
) -> None:
    """Add vectors (M, d) to the rows of `sums` (N, d) that their codes (M,) name."""
    order = np.argsort(codes, kind="stable")
    different, starts = np.unique(codes[order], return_index=True)
    sums[different] += np.add.reduceat(vectors[order], starts, axis=0)


def scale_to_one(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring vectors (M, d) to length 1; what has no length stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, _LEAST_LENGTH)


def _list_largest(row: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return the columns of the largest of (M,) scores, the largest first."""
    blocks = len(row) // _BLOCK
    places = np.arange(len(row))
    if blocks > count:
        maxima = row[: blocks * _BLOCK].reshape(blocks, _BLOCK).max(1)
        places = np.flatnonzero(row >= np.partition(maxima, blocks - count)[blocks - count])
    values = row[places]
    if len(places) > count:
        least = np.partition(values, len(values) - count)[len(values) - count]
        above, equal = np.flatnonzero(values > least), np.flatnonzero(values == least)
        few = np.concatenate([above, equal[: count - len(above)]])
        places, values = places[few], values[few]
    return places[np.lexsort((places, -values))]
