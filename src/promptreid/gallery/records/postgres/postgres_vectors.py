"""Vectors and the null sample in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from promptreid.gallery.records.postgres.postgres_store import PostgresStore
from promptreid.gallery.records.record_rows import NullRow
from promptreid.gallery.records.sql.sql_models import SqlModels


class PostgresVectors(SqlModels, PostgresStore):
    """The part of the records that keeps vectors, exactly and as what pgvector searches."""

    def put_entry_vectors(
        self, table: str, model: int, rows: Sequence[tuple[int, NDArray[np.float32]]]
    ) -> None:
        """Write vectors of those entries that are there."""
        if not rows:
            return
        self.execute(
            f"INSERT INTO {table} SELECT entry, ?, vector, searched, ? FROM unnest("
            "?::bigint[], %b::bytea[], %b::halfvec[]) AS given (entry, vector, searched) "
            "JOIN entries USING (entry) ON CONFLICT (entry, model) DO UPDATE SET "
            "vector = excluded.vector, searched = excluded.searched, version = excluded.version",
            model,
            self.revision(),
            [entry for entry, _ in rows],
            [_to_bytes(vector) for _, vector in rows],
            [HalfVector(vector) for _, vector in rows],
        )

    def put_negative_vectors(
        self, model: int, rows: Sequence[tuple[int, NDArray[np.float32]]]
    ) -> None:
        """Write vectors of those negative examples that are there."""
        revision = self.revision()
        self.execute_many(
            "INSERT INTO negative_vectors SELECT negative, ?, %b, ? FROM negatives "
            "WHERE negative = ? ON CONFLICT (negative, model) DO UPDATE SET "
            "vector = excluded.vector, version = excluded.version",
            [(model, _to_bytes(vector), revision, negative) for negative, vector in rows],
        )

    def vectors(self, entries: Sequence[int], *, model: str | None = None) -> NDArray[np.float32]:
        """Return vectors of a model, zero where an entry has none."""
        number, numbers = self.find_model(model), list(entries)
        vectors = np.zeros((len(numbers), self.find_width(number)), np.float32)
        rows = self.execute(
            "SELECT place, vector FROM unnest(?::bigint[]) WITH ORDINALITY AS wanted (entry, "
            "place) JOIN vectors USING (entry) WHERE model = ?",
            numbers,
            number,
        )
        for place, content in rows:
            vectors[place - 1] = np.frombuffer(content, "<f4")
        return vectors

    def open_vector(
        self, content: bytes | None, what: str, number: int
    ) -> NDArray[np.float32] | None:
        """Return the vector of bytes that were kept, if any."""
        return None if content is None else np.frombuffer(content, "<f4")

    def find_damaged_vectors(self) -> list[str]:
        """Say which vectors are of another length; the server's checksums tell what else is."""
        return [
            f"The vector of {column.replace('negative', 'negative example')} {number}"
            for _, column, number in self._list_damaged_vectors()
        ]

    def remove_damaged_vectors(self) -> None:
        """Take out vectors of another length, so that they can be made anew."""
        revision = self.revision()
        for table, column, number in self._list_damaged_vectors():
            self.execute(f"DELETE FROM {table} WHERE {column} = ?", number)
            if column == "entry":
                self.execute("UPDATE entries SET version = ? WHERE entry = ?", revision, number)

    def _list_damaged_vectors(self) -> list[tuple[str, str, int]]:
        """Return table, column and number of each vector of another length."""
        return [
            (table, column, number)
            for table, column, width in (
                ("vectors", "entry", "width"),
                ("text_vectors", "entry", "text_width"),
                ("negative_vectors", "negative", "width"),
            )
            for (number,) in self.execute(
                f"SELECT {column} FROM {table} JOIN models USING (model) "
                f"WHERE octet_length(vector) <> 4 * {width} ORDER BY {column}"
            )
        ]

    def put_null_rows(self, rows: Iterable[NullRow], removed: Iterable[int]) -> None:
        """Write rows of the null sample, and remove those of some identities."""
        model, revision = self.find_model(), self.revision()
        self.execute(
            "DELETE FROM null_sample WHERE model = ? AND identity = ANY(?)", model, list(removed)
        )
        written = list(rows)
        self.execute(
            "INSERT INTO null_sample SELECT ?, identity, entry, score, rival, ? FROM unnest("
            "?::bigint[], ?::bigint[], ?::float8[], ?::bigint[]) "
            "AS given (identity, entry, score, rival) "
            "ON CONFLICT (model, identity) DO UPDATE SET entry = excluded.entry, "
            "score = excluded.score, rival = excluded.rival, version = excluded.version",
            model,
            revision,
            *(
                [getattr(row, name) for row in written]
                for name in ("identity", "entry", "score", "rival")
            ),
        )


def _to_bytes(vector: NDArray[np.float32]) -> bytes:
    """Return the bytes of a vector as they are kept."""
    return np.ascontiguousarray(vector, "<f4").tobytes()
