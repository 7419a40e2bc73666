"""What every index of vectors can do; one suite of tests holds for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.entry_table import EntryTable, TableChange


@dataclass(frozen=True, eq=False)
class Nearest:
    """The entries that are most alike, best first, for Q queries.

    Attributes:
        rows: (Q, L) rows of the table; -1 behind the last one that may answer.
        scores: (Q, L) exact cosines; -inf there.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


class Index(Protocol):
    """Vectors of the entries of a table, searched.

    An index is derived: it can be made anew from the records at any time. It knows vectors alone.
    Identities, aggregates, the null sample and answers are made from `search` and `score` by the
    files beside this one, for every index in the same way. Whoever calls it holds a lock.

    Rows are those of the table that `follow` was last given. What happens in a change of records:
    `follow`, within the transaction, then searches, then `settle` once it is committed; or `clear`
    where it was rolled back.
    """

    @property
    def kind(self) -> str:
        """Its name among the kinds of index."""
        ...

    def clear(self) -> None:
        """Forget everything that `follow` has told; files and servers may keep what they have."""

    def follow(self, table: EntryTable, change: TableChange, records: Records) -> None:
        """Take over what became of a table; call it within `reading` or `writing`.

        After `clear`, and where the table was read anew, whatever is kept in files or on a server
        is compared with the table (`EntryTable.digest`, or number by number), and the difference is
        made good from the records (`Records.vectors`).

        Args:
            table: The entries now; rows behind those that were kept are new.
            change: What became of the rows since the last call.
            records: Where vectors are read.

        Raises:
            GalleryError: A server cannot be reached.
        """

    def settle(self) -> None:
        """Write to files or servers what `follow` told, now that it is committed."""

    def search(self, queries: NDArray[np.float32], conditions: Conditions, length: int) -> Nearest:
        """Find the entries that are most alike among those that may answer.

        Args:
            queries: (Q, d) of length 1.
            conditions: Which entries may answer; of the table that was followed last.
            length: Entries wanted for each query, L at most.

        Returns:
            Entries such that none that may answer and is not among them scores higher, exactly or,
            where an index says so, as far as was measured.
        """
        ...

    def score(self, queries: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return exact cosines (Q, N) of (Q, d) queries to (N,) rows."""
        ...

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors (N, d) of some rows."""
        ...

    def stored_bytes(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return what files of the index hold of some rows, beside what the records hold.

        An erasure looks for pieces of it afterwards.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
