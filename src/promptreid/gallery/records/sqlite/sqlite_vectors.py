"""Vectors and the null sample in SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_rows import NullRow
from promptreid.gallery.records.sql.sql_models import SqlModels
from promptreid.gallery.records.sqlite.sealed_vectors import (
    is_whole,
    strip_seal,
    to_blob,
    to_vector,
)
from promptreid.gallery.records.sqlite.sqlite_errors import tell_damage
from promptreid.gallery.records.sqlite.sqlite_file import SqliteFile

_AT_A_TIME = 4096


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
        searched, numbers = self.find_model(model), np.asarray(entries, np.int64)
        vectors = np.zeros((len(numbers), self.find_width(searched)), np.float32)
        for start in range(0, len(numbers), _AT_A_TIME):
            part = numbers[start : start + _AT_A_TIME]
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
