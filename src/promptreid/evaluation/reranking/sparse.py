"""Sparse rows: for each row the columns that are not zero, and their values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from promptreid.evaluation.ranking.counting import count_numbers


@dataclass(frozen=True, eq=False)
class SparseRows:
    """A sparse matrix stored row by row.

    Attributes:
        offset: (R + 1,) int64; row r holds entries `offset[r]` to `offset[r + 1]`.
        column: (E,) int32.
        value: (E,) float32.
    """

    offset: Tensor
    column: Tensor
    value: Tensor

    @classmethod
    def join(cls, parts: list[tuple[Tensor, Tensor, Tensor]]) -> SparseRows:
        """Join (entries per row, columns, values) of consecutive rows."""
        counts, columns, values = (torch.cat(list(part)) for part in zip(*parts, strict=True))
        return cls(offset=_accumulate(counts), column=columns, value=values)

    def entries(self, rows: Tensor, total: int) -> tuple[Tensor, Tensor]:
        """List the entries of some rows, which may repeat.

        Args:
            rows: (S,) row numbers.
            total: Number T of their entries. The host tells it, so as not to wait for the device.

        Returns:
            (T,) for each entry the position in `rows` it belongs to, and (T,) its place in
            `column` and `value`.
        """
        start = self.offset[rows]
        count = self.offset[rows + 1] - start
        numbers = torch.arange(len(rows), device=rows.device)
        owner = torch.repeat_interleave(numbers, count, output_size=total)
        # Entry t of all is entry t - (first of its owner) of its owner.
        shift = start - (count.cumsum(0) - count)
        return owner, torch.arange(total, device=rows.device) + shift[owner]

    def transposed(self, columns: int) -> SparseRows:
        """Exchange rows and columns of a matrix that has `columns` columns."""
        rows = len(self.offset) - 1
        row = torch.repeat_interleave(
            torch.arange(rows, dtype=torch.int32, device=self.column.device),
            self.offset.diff(),
            output_size=len(self.column),
        )
        order = self.column.argsort(stable=True)
        counts = count_numbers(self.column, columns)
        return SparseRows(offset=_accumulate(counts), column=row[order], value=self.value[order])


def distinct(cells: Tensor) -> Tensor:
    """Sort (T,) int64 numbers, rising, and leave out repetitions."""
    if cells.device.type != "cpu":
        return cells.unique()
    # NumPy sorts whole numbers with vector instructions.
    ordered = np.sort(cells.numpy())
    first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return torch.from_numpy(ordered[first])


def distinct_where(wanted: Tensor, cells: Tensor) -> Tensor:
    """Sort the numbers (T,) at which a mask is True, rising, and leave out repetitions.

    Args:
        wanted: (T,) bool.
        cells: (T,) int64 from 0.
    """
    if cells.device.type == "cpu":
        return distinct(cells[wanted])
    # Listing the wanted ones first would wait for the device once more.
    marked = torch.nn.functional.pad(torch.where(wanted, cells, -1), (0, 1), value=-1)
    return distinct(marked)[1:]


def _accumulate(counts: Tensor) -> Tensor:
    return torch.nn.functional.pad(counts.cumsum(0), (1, 0))
