"""Vectors and the null sample in SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_rows import NullRow
from promptreid.gallery.records.sql.sql_models import SqlModels
from promptreid.gallery.records.sqlite.sealed_vectors import (
    SEAL,
    is_whole,
    strip_seal,
    to_blob,
    to_vector,
)
from promptreid.gallery.records.sqlite.sqlite_errors import tell_damage
from promptreid.gallery.records.sqlite.sqlite_file import SqliteFile

_AT_A_TIME = 4096
_SPARSE = 2
"""Where a range holds fewer numbers than so many times those that are wanted, all of it is read."""


class SqliteVectors(SqlModels, SqliteFile):
    """The part of the records that keeps vectors, each with its checksum."""

    def put_entry_vectors(
        self, table: str, model: int, rows: Sequence[tuple[int, NDArray[np.float32]]]
    ) -> None:
        """Write vectors of those entries that are there."""
        self._put_vectors(table, "entry", "entries", model, rows)

    def put_negative_vectors(
        self, model: int, rows: Sequence[tuple[int, NDArray[np.float32]]]
    ) -> None:
        """Write vectors of those negative examples that are there."""
        self._put_vectors("negative_vectors", "negative", "negatives", model, rows)

    def vectors(self, entries: Sequence[int], *, model: str | None = None) -> NDArray[np.float32]:
        """Return vectors of a model, zero where an entry has none."""
        searched = self.find_model(model)
        width = self.find_width(searched)
        numbers, places = np.unique(np.asarray(entries, np.int64), return_inverse=True)
        vectors = np.zeros((len(numbers), width), np.float32)
        for start in range(0, len(numbers), _AT_A_TIME):
            self._read_part(searched, numbers[start : start + _AT_A_TIME], vectors[start:])
        is_ordered = np.array_equal(places, np.arange(len(numbers)))
        return vectors if is_ordered else vectors[places]

    def _read_part(
        self, model: int, numbers: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> None:
        """Write the vectors of some entries (N,), ascending, over the first rows of (M, width)."""
        columns = "SELECT entry, vector FROM vectors WHERE model = ? AND"
        first, last = int(numbers[0]), int(numbers[-1])
        if last - first < _SPARSE * len(numbers):  # reading all between them is faster
            rows = self.execute(f"{columns} entry BETWEEN ? AND ?", model, first, last)
        else:
            wanted = self.to_list(numbers.tolist())
            rows = self.execute(f"{columns} {self.among('entry')}", model, wanted)
        if not rows:
            return
        size = 4 * vectors.shape[1] + SEAL
        for number, blob in rows:
            if len(blob) != size or not is_whole(blob):
                raise tell_damage(
                    self.place, f"the vector of entry {number}: its checksum does not fit"
                )
        found = np.fromiter((number for number, _ in rows), np.int64, len(rows))
        values = np.frombuffer(b"".join([blob for _, blob in rows]), "<f4").reshape(len(rows), -1)
        places = np.minimum(np.searchsorted(numbers, found), len(numbers) - 1)
        there = numbers[places] == found
        vectors[places[there]] = values[there, : vectors.shape[1]]

    def open_vector(
        self, content: bytes | None, what: str, number: int
    ) -> NDArray[np.float32] | None:
        """Return the vector of an entry or a negative example from its bytes, if there are any."""
        try:
            return None if content is None else to_vector(content)
        except ValueError as error:
            raise tell_damage(self.place, f"the vector of {what} {number}: {error}") from error

    def strip_vector(self, content: bytes) -> bytes:
        """Return the bytes of a vector without their checksum."""
        return strip_seal(content)

    def find_damaged_vectors(self) -> list[str]:
        """Say which vectors are not what was written."""
        return [
            f"The vector of {column.replace('negative', 'negative example')} {number}"
            for _, column, _, number in self._list_damaged_vectors()
        ]

    def remove_damaged_vectors(self) -> None:
        """Take out vectors that are not what was written, so that they can be made anew."""
        revision = self.revision()
        for table, column, row, number in self._list_damaged_vectors():
            self.execute(f"DELETE FROM {table} WHERE rowid = ?", row)
            if column == "entry":
                self.execute("UPDATE entries SET version = ? WHERE entry = ?", revision, number)

    def put_null_rows(self, rows: Iterable[NullRow], removed: Iterable[int]) -> None:
        """Write rows of the null sample, and remove those of some identities."""
        model = self.find_model()
        self.execute_many(
            "DELETE FROM null_sample WHERE model = ? AND identity = ?",
            [(model, identity) for identity in removed],
        )
        self.execute_many(
            "INSERT OR REPLACE INTO null_sample VALUES (?, ?, ?, ?, ?)",
            [(model, row.identity, row.entry, row.score, row.rival) for row in rows],
        )

    def _put_vectors(
        self,
        table: str,
        column: str,
        parent: str,
        model: int,
        rows: Sequence[tuple[int, NDArray[np.float32]]],
    ) -> None:
        self.execute_many(
            f"INSERT OR REPLACE INTO {table} SELECT {column}, ?, ? FROM {parent} "
            f"WHERE {column} = ?",
            [(model, to_blob(vector), number) for number, vector in rows],
        )

    def _list_damaged_vectors(self) -> list[tuple[str, str, int, int]]:
        """Return table, column, row and number of each vector that is not what was written."""
        return [
            (table, column, row, number)
            for table, column in (
                ("vectors", "entry"),
                ("text_vectors", "entry"),
                ("negative_vectors", "negative"),
            )
            for row, number, blob in self.each(f"SELECT rowid, {column}, vector FROM {table}")
            if not is_whole(blob)
        ]
