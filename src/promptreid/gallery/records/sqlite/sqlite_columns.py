"""What an index reads of the records in SQLite: columns of entries, and vectors in one array."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_rows import EntryColumns
from promptreid.gallery.records.sqlite.sqlite_errors import tell_damage
from promptreid.gallery.records.sqlite.sqlite_vectors import SqliteVectors

_ROWS_AT_A_TIME = 65536
_VECTORS_AT_A_TIME = 4096


class SqliteColumns(SqliteVectors):
    """Reads many entries at once."""

    def columns(self, since: int = -1, *, model: str | None = None) -> Iterator[EntryColumns]:
        """Give entries that changed after a revision, by number, in parts."""
        by_version = "" if since < 0 else "INDEXED BY entries_by_version"
        last, number = 0, self.find_model(model)
        while True:
            rows = self.execute(
                "SELECT entry, substr(content_hash, 1, 16), identity, camera, time, domain, "
                "attributes, hidden, EXISTS (SELECT 1 FROM vectors "
                "WHERE vectors.entry = entries.entry AND model = ?) "
                f"FROM entries {by_version} WHERE version > ? AND entry > ? ORDER BY entry LIMIT ?",
                number, since, last, _ROWS_AT_A_TIME,
            )  # fmt: skip
            if rows:
                yield self._read_columns(rows)
                last = rows[-1][0]
            if len(rows) < _ROWS_AT_A_TIME:
                return

    def entry_numbers(self) -> NDArray[np.int64]:
        """Return the numbers of all entries."""
        numbers = self.execute("SELECT entry FROM entries")
        return np.fromiter((row[0] for row in numbers), np.int64, len(numbers))

    def vectors(self, entries: Sequence[int], *, model: str | None = None) -> NDArray[np.float32]:
        """Return vectors of a model, zero where an entry has none."""
        searched = self.find_model(model)
        width = self.execute("SELECT width FROM models WHERE model = ?", searched)[0][0]
        numbers = np.asarray(entries, np.int64)
        vectors = np.zeros((len(numbers), width), np.float32)
        for start in range(0, len(numbers), _VECTORS_AT_A_TIME):
            part = numbers[start : start + _VECTORS_AT_A_TIME]
            rows = self.execute(
                "SELECT entry, vector FROM vectors WHERE model = ? AND "
                "entry IN (SELECT value FROM json_each(?))",
                searched,
                json.dumps(part.tolist()),
            )
            place = {number: start + count for count, number in enumerate(part.tolist())}
            for number, vector in rows:
                vectors[place[number]] = self.open_vector(vector, "entry", number)
        return vectors

    def _read_columns(self, rows: Sequence[tuple]) -> EntryColumns:
        try:
            return _to_columns(rows)
        except (TypeError, ValueError) as error:
            numbers = f"entries {rows[0][0]} to {rows[-1][0]}"
            raise tell_damage(self.place, f"{numbers}: {error}") from error


def _to_columns(rows: Sequence[tuple]) -> EntryColumns:
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
