"""An array that grows at its end without being copied each time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class GrowingArray:
    """Rows of one type, kept in room for more."""

    def __init__(self, dtype: DTypeLike, width: tuple[int, ...] = ()) -> None:
        """Begin without a row; `width` is the shape of one."""
        self._room = np.empty((64, *width), dtype)
        self._length = 0

    @property
    def values(self) -> NDArray[Any]:
        """The rows (length, *width), not copied; valid until there are more or fewer."""
        return self._room[: self._length]

    def extend(self, rows: NDArray[Any]) -> None:
        """Put rows at the end."""
        length = self._length + len(rows)
        if length > len(self._room):
            room = np.empty(
                (max(length, 2 * self._length), *self._room.shape[1:]), self._room.dtype
            )
            room[: self._length] = self.values
            self._room = room
        self._room[self._length : length] = rows
        self._length = length

    def replace(self, rows: NDArray[Any]) -> None:
        """Have these rows and no others; they are not copied."""
        self._room, self._length = rows, len(rows)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Take out the rows that are not kept, (length,)."""
        self._room = self.values[kept]
        self._length = len(self._room)

    def drop_first(self, count: int) -> None:
        """Take out the first rows."""
        self._room = self.values[count:].copy()
        self._length = len(self._room)
