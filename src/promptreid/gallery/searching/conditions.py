"""Which entries may answer which query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.filters import Filters


@dataclass(frozen=True, eq=False)
class Conditions:
    """What Q queries ask of the entries that may answer them.

    An index in memory reads `mask` and `own_cameras`; one that is elsewhere turns `filters`,
    `identities` and `cameras` into its own language. Hidden entries never answer.

    Attributes:
        table: The entries.
        filters: Conditions on entries.
        identities: Numbers of the identities that the filters name; None where they name none.
        cameras: (Q,) cameras of the queries, whose entries may not answer where the filters ask
            for other cameras; None for a query of no camera.
    """

    table: EntryTable
    filters: Filters = field(default_factory=Filters)
    identities: Sequence[int] | None = None
    cameras: Sequence[str | None] = ()

    @cached_property
    def mask(self) -> NDArray[np.bool_] | None:
        """(M,) rows that may answer, but for the cameras of queries; None where all may."""
        if self.filters.is_open and self.table.visible.all():
            return None
        return self.table.mask(self.filters, self.identities)

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """(M,) the same, without None."""
        return np.ones(len(self.table), bool) if self.mask is None else self.mask

    @cached_property
    def own_cameras(self) -> NDArray[np.int64] | None:
        """(Q,) codes of cameras whose rows may not answer a query, -2 for none; None for all."""
        if not self.filters.other_cameras:
            return None
        return self.table.find_camera_codes(self.cameras)

    def choose(self, queries: NDArray[np.int64]) -> Conditions:
        """Return the conditions of some of the queries, by place."""
        if not self.filters.other_cameras:
            return self
        return self.ask([self.cameras[place] for place in queries.tolist()])

    def ask(self, cameras: Sequence[str | None]) -> Conditions:
        """Return the same conditions for queries of other cameras."""
        asked = replace(self, cameras=cameras)
        asked.__dict__["mask"] = self.mask  # which is the same and took time
        return asked

    def may_answer(self, query: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of (N,) rows whether they may answer one query, by its place."""
        may = np.ones(len(rows), bool) if self.mask is None else self.mask[rows]
        if self.own_cameras is not None:
            may = may & (self.table.camera_codes[rows] != self.own_cameras[query])
        return may
