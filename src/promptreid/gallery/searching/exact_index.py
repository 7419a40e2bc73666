"""All vectors of a gallery in memory, searched exactly; made from the records and never kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_rows import EntryRow
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.aggregate import Aggregate, cosines, identity_scores
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.searching.growing_array import GrowingArray


class ExactIndex:
    """Vectors and what filters ask for, row by row, as of one revision of the records.

    Identities have a code each, their place in `identity_numbers`; codes are given as identities
    come and stay until everything is read anew.

    Attributes:
        revision: Revision of the records that this is of; -1 for none.
        row_by_entry: Number of an entry to its row.
        identity_numbers: Number of the identity of each code.
        identity_codes: Number of an identity to its code.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything; the next `refresh` reads all records."""
        self.revision = -1
        self.row_by_entry: dict[int, int] = {}
        self.identity_numbers: list[int] = []
        self.identity_codes: dict[int, int] = {}
        self._vectors: GrowingArray | None = None
        self._entries, self._codes = GrowingArray(np.int64), GrowingArray(np.int64)
        self._visible, self._draws = GrowingArray(bool), GrowingArray(np.uint64)
        self._cameras, self._domains = _Names(), _Names()
        self._times = GrowingArray(np.float64)
        self._attributes: list[dict[str, str]] = []

    def refresh(self, records: Records) -> set[int] | None:
        """Take over what changed in the records; call it within `reading` or `writing`.

        Numbers of entries are never used again, so that rows that were here and rows that changed
        are all that there can be; where they are more than the records hold, some were erased, and
        everything is read anew.

        Returns:
            Numbers of the identities whose entries changed, before or after; None where everything
            was read anew.
        """
        revision = records.revision()
        if revision < self.revision:
            self.clear()
        return set() if revision == self.revision else self.take_changes(records, self.revision)

    def take_changes(self, records: Records, since: int) -> set[int] | None:
        """Take over what changed after a revision; as `refresh`."""
        touched = self._take(records, since=since)
        anew = since < 0
        if len(self.row_by_entry) != records.count_entries():
            anew = True
            self.clear()
            self._take(records, since=-1)
        self.revision = records.revision()
        return None if anew else touched

    def _take(self, records: Records, *, since: int) -> set[int]:
        """Put in what changed after a revision; return the identities that it changed."""
        touched = set()
        for entry, vector in records.entries(since):
            row = self.row_by_entry.get(entry.entry)
            touched.add(entry.identity)
            if row is None:
                self._append(entry, vector)
            else:
                touched.add(self.identity_numbers[self.codes[row]])
                self._codes.values[row] = self._code(entry.identity)
                self._visible.values[row] = not entry.hidden and bool(self.vectors[row].any())
        return touched

    def _append(self, entry: EntryRow, vector: NDArray[np.float32] | None) -> None:
        if self._vectors is None and vector is not None:
            self._vectors = GrowingArray(np.float32, vector.shape)
            for _ in self.row_by_entry:
                self._vectors.append(0)
        self.row_by_entry[entry.entry] = len(self.row_by_entry)
        if self._vectors is not None:
            self._vectors.append(0 if vector is None else vector)
        self._entries.append(entry.entry)
        self._codes.append(self._code(entry.identity))
        self._visible.append(not entry.hidden and vector is not None)
        self._draws.append(int(entry.content_hash[:16], 16))
        self._cameras.append(entry.camera)
        self._domains.append(entry.domain)
        self._times.append(np.nan if entry.time is None else entry.time)
        self._attributes.append(dict(entry.attributes))

    def _code(self, identity: int) -> int:
        if identity not in self.identity_codes:
            self.identity_codes[identity] = len(self.identity_numbers)
            self.identity_numbers.append(identity)
        return self.identity_codes[identity]

    def __len__(self) -> int:
        return len(self.row_by_entry)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(M, d) vectors; a row of zeros where an entry has none of this model."""
        return (
            np.zeros((len(self), 0), np.float32) if self._vectors is None else self._vectors.values
        )

    @property
    def entries(self) -> NDArray[np.int64]:
        """(M,) numbers of the entries."""
        return self._entries.values

    @property
    def codes(self) -> NDArray[np.int64]:
        """(M,) codes of the identities."""
        return self._codes.values

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(M,) whether an entry may answer at all."""
        return self._visible.values

    @property
    def draws(self) -> NDArray[np.uint64]:
        """(M,) beginnings of the content hashes, which are as good as random draws."""
        return self._draws.values

    @property
    def camera_codes(self) -> NDArray[np.int64]:
        """(M,) codes of the cameras, -1 where unknown."""
        return self._cameras.codes

    def find_codes(self, identities: Iterable[int]) -> list[int]:
        """Return the codes of those identities that have any, by number."""
        return [self.identity_codes[one] for one in identities if one in self.identity_codes]

    def find_camera_codes(self, cameras: Sequence[str | None]) -> NDArray[np.int64]:
        """Return the code of each camera, -2 where no entry is of it or it is not known."""
        return np.array([self._cameras.find(camera) for camera in cameras], np.int64)

    def mask(self, filters: Filters, identities: Sequence[int] | None = None) -> NDArray[np.bool_]:
        """Say which rows may answer, (M,), but for what depends on the query.

        Args:
            filters: Conditions.
            identities: Numbers of the identities that they name.
        """
        allowed = self.visible.copy()
        if identities is not None:
            allowed &= np.isin(self.codes, self.find_codes(identities))
        for names, wanted in ((self._cameras, filters.cameras), (self._domains, filters.domains)):
            if wanted is not None:
                allowed &= np.isin(names.codes, [names.find(name) for name in wanted])
        if filters.since is not None:
            allowed &= self._times.values >= filters.since
        if filters.until is not None:
            allowed &= self._times.values <= filters.until
        for row in np.flatnonzero(allowed) if filters.attributes else ():
            having = self._attributes[row]
            allowed[row] = all(
                having.get(name) in values for name, values in filters.attributes.items()
            )
        return allowed

    def score_identities(
        self,
        queries: NDArray[np.float32],
        allowed: NDArray[np.bool_],
        aggregate: Aggregate,
    ) -> NDArray[np.float32]:
        """Score all identities, by code, for (Q, d) queries.

        Args:
            queries: Vectors of length 1.
            allowed: (M,) or (Q, M), which rows may answer.
            aggregate: How images become one score.

        Returns:
            (Q, identities); -inf where an identity has no image that may answer.
        """
        count = len(self.identity_numbers)
        return identity_scores(queries, self.vectors, self.codes, count, allowed, aggregate)

    def find_best_entry(
        self, query: NDArray[np.float32], identity: int, allowed: NDArray[np.bool_]
    ) -> tuple[int, float]:
        """Return an identity's entry that scores best for one (d,) query, and its score."""
        rows = np.flatnonzero((self.codes == self.identity_codes[identity]) & allowed)
        scores = cosines(query[None], self.vectors[rows])[0]
        best = int(scores.argmax())
        return int(self.entries[rows[best]]), float(scores[best])


class _Names:
    """A column of names as codes."""

    def __init__(self) -> None:
        self._codes = GrowingArray(np.int64)
        self._code_by_name: dict[str, int] = {}

    @property
    def codes(self) -> NDArray[np.int64]:
        """The codes, -1 for None."""
        return self._codes.values

    def append(self, name: str | None) -> None:
        """Put a name at the end."""
        code = -1 if name is None else self._code_by_name.setdefault(name, len(self._code_by_name))
        self._codes.append(code)

    def find(self, name: str | None) -> int:
        """Return the code of a name; -2 for None and where there is none."""
        return -2 if name is None else self._code_by_name.get(name, -2)
