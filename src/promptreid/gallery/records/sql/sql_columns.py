"""What an index reads of the records: columns of entries, and their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_rows import EntryColumns
from promptreid.gallery.records.sql.sql_entries import SqlEntries

_ROWS_AT_A_TIME = 65536


class SqlColumns(SqlEntries):
    """Reads many entries at once."""

    def columns(self, since: int = -1, *, model: str | None = None) -> Iterator[EntryColumns]:
        """Give entries that changed after a revision, by number, in parts."""
        last, number = 0, self.find_model(model)
        while True:
            rows = self.execute(
                "SELECT entry, substr(content_hash, 1, 16), identity, camera, time, domain, "
                "attributes, hidden, EXISTS (SELECT 1 FROM vectors "
                "WHERE vectors.entry = entries.entry AND model = ?) "
                f"FROM {self.name_changed_entries(since)} "
                "WHERE version > ? AND entry > ? ORDER BY entry LIMIT ?",
                number, since, last, _ROWS_AT_A_TIME,
            )  # fmt: skip
            if rows:
                yield self.read_columns(rows)
                last = rows[-1][0]
            if len(rows) < _ROWS_AT_A_TIME:
                return

    def read_columns(self, rows: Sequence[tuple[Any, ...]]) -> EntryColumns:
        """Turn rows into columns.

        Raises:
            StoreFailedError: They are not what was written.
        """
        entries, hashes, identities, cameras, times, domains, attributes, hidden, usable = zip(
            *rows, strict=True
        )
        return EntryColumns(
            entries=np.array(entries, np.int64),
            draws=np.frombuffer(bytes.fromhex("".join(hashes)), ">u8").astype(np.uint64),
            identities=np.array(identities, np.int64),
            cameras=cameras,
            times=np.array(times, np.float64),  # None becomes not-a-number
            domains=domains,
            attributes=attributes,
            hidden=np.array(hidden, bool),
            usable=np.array(usable, bool),
        )

    def entry_numbers(self) -> NDArray[np.int64]:
        """Return the numbers of all entries."""
        numbers = self.execute("SELECT entry FROM entries")
        return np.fromiter((row[0] for row in numbers), np.int64, len(numbers))
