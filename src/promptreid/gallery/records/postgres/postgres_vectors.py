"""Models, their vectors, and the null sample in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from promptreid.errors import GalleryError
from promptreid.gallery.records.postgres.postgres_store import PostgresStore
from promptreid.gallery.records.record_rows import (
    BEING_MADE,
    KEPT,
    SEARCHED,
    ModelRow,
    NewVector,
    NullRow,
    StoredModel,
)

_COLUMNS = "fingerprint, width, description, text_width"


class PostgresVectors(PostgresStore):
    """The part of the records that knows models."""

    def model(self) -> ModelRow | None:
        """Return the model whose vectors are searched."""
        rows = self.execute(f"SELECT {_COLUMNS} FROM models WHERE state = %s", SEARCHED)
        return _model(rows[0]) if rows else None

    def models(self) -> list[StoredModel]:
        """Return all models, in the order in which they came."""
        rows = self.execute(
            f"SELECT {_COLUMNS}, state, "
            "(SELECT count(*) FROM vectors WHERE vectors.model = models.model) "
            "FROM models ORDER BY model"
        )
        return [StoredModel(_model(row[:4]), *row[4:]) for row in rows]

    def set_model(self, model: ModelRow) -> None:
        """Search the vectors of this model from now on."""
        before = self.model()
        if before is not None and before.fingerprint != model.fingerprint:
            self.execute("DELETE FROM null_sample")
            self.execute("UPDATE models SET state = %s WHERE state = %s", KEPT, SEARCHED)
        self._put_model(model, SEARCHED)

    def begin_model(self, model: ModelRow) -> None:
        """Let vectors of a model be made beside those that are searched."""
        searched = self.model()
        if searched is not None and searched.fingerprint == model.fingerprint:
            raise GalleryError(
                f"The vectors of the model {model.fingerprint[:16]} are those that {self.place} "
                "searches already."
            )
        self._put_model(model, BEING_MADE)

    def drop_model(self, fingerprint: str) -> None:
        """Remove a model with its vectors; `compact` is due afterwards."""
        number = self.find_model(fingerprint)
        searched = self.model()
        if searched is not None and searched.fingerprint == fingerprint:
            raise GalleryError(
                f"The model {fingerprint[:16]} is the one that {self.place} searches, so its "
                "vectors stay."
            )
        for table in ("vectors", "text_vectors", "negative_vectors", "null_sample", "models"):
            self.execute(f"DELETE FROM {table} WHERE model = %s", number)
        self.set_count("compaction_due", 1)

    def missing_vectors(
        self, fingerprint: str, *, text: bool = False, negatives: bool = False
    ) -> list[int]:
        """Return the numbers of entries without a vector of a model, ascending."""
        table, column, vectors = "entries", "entry", "text_vectors" if text else "vectors"
        if negatives:
            table, column, vectors = "negatives", "negative", "negative_vectors"
        rows = self.execute(
            f"SELECT {column} FROM {table} WHERE NOT EXISTS (SELECT 1 FROM {vectors} WHERE "
            f"{vectors}.{column} = {table}.{column} AND model = %s) "
            f"{'AND entry IS NULL ' if negatives else ''}ORDER BY {column}",
            self.find_model(fingerprint),
        )
        return [row[0] for row in rows]

    def put_vectors(
        self, fingerprint: str, vectors: Sequence[NewVector], *, negatives: bool = False
    ) -> None:
        """Write vectors of a model, over those that are there."""
        number = self.find_model(fingerprint)
        self.check_widths(fingerprint, vectors)
        if negatives:
            self.put_negative_vectors(number, [(row.number, row.vector) for row in vectors])
            return
        self.put_entry_vectors("vectors", number, [(row.number, row.vector) for row in vectors])
        self.put_entry_vectors(
            "text_vectors",
            number,
            [(row.number, row.text_vector) for row in vectors if row.text_vector is not None],
        )
        searched = self.model()
        if searched is not None and searched.fingerprint == fingerprint:
            self.execute(
                "UPDATE entries SET version = %s WHERE entry = ANY(%s)",
                self.revision(),
                [row.number for row in vectors],
            )

    def put_entry_vectors(
        self, table: str, model: int, rows: Sequence[tuple[int, NDArray[np.float32]]]
    ) -> None:
        """Write vectors of entries that are there, exactly and as what pgvector searches."""
        if not rows:
            return
        self.execute(
            f"INSERT INTO {table} SELECT entry, %s, vector, searched, %s FROM unnest("
            "%s::bigint[], %b::bytea[], %b::halfvec[]) AS given (entry, vector, searched) "
            "JOIN entries USING (entry) ON CONFLICT (entry, model) DO UPDATE SET "
            "vector = excluded.vector, searched = excluded.searched, version = excluded.version",
            model,
            self.revision(),
            [entry for entry, _ in rows],
            [to_bytes(vector) for _, vector in rows],
            [HalfVector(vector) for _, vector in rows],
        )

    def put_negative_vectors(
        self, model: int, rows: Sequence[tuple[int, NDArray[np.float32]]]
    ) -> None:
        """Write vectors of negative examples that are there."""
        revision = self.revision()
        self.execute_many(
            "INSERT INTO negative_vectors SELECT negative, %s, %b, %s FROM negatives "
            "WHERE negative = %s ON CONFLICT (negative, model) DO UPDATE SET "
            "vector = excluded.vector, version = excluded.version",
            [(model, to_bytes(vector), revision, negative) for negative, vector in rows],
        )

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
            self.execute(f"DELETE FROM {table} WHERE {column} = %s", number)
            if column == "entry":
                self.execute("UPDATE entries SET version = %s WHERE entry = %s", revision, number)

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

    def null_rows(self) -> list[NullRow]:
        """Return the null sample of the model that is searched."""
        rows = self.execute(
            "SELECT identity, entry, score, rival FROM null_sample WHERE model = %s",
            self.find_model(),
        )
        return [NullRow(*row) for row in rows]

    def put_null_rows(self, rows: Iterable[NullRow], removed: Iterable[int]) -> None:
        """Write rows of the null sample, and remove those of some identities."""
        model, revision = self.find_model(), self.revision()
        self.execute(
            "DELETE FROM null_sample WHERE model = %s AND identity = ANY(%s)", model, list(removed)
        )
        written = list(rows)
        self.execute(
            "INSERT INTO null_sample SELECT %s, identity, entry, score, rival, %s FROM unnest("
            "%s::bigint[], %s::bigint[], %s::float8[], %s::bigint[]) "
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

    def find_model(self, fingerprint: str | None = None) -> int:
        """Return the number of a model; by default that which is searched, 0 before the first.

        Raises:
            GalleryError: There is no such model.
        """
        if fingerprint is None:
            rows = self.execute("SELECT model FROM models WHERE state = %s", SEARCHED)
            return rows[0][0] if rows else 0
        rows = self.execute("SELECT model FROM models WHERE fingerprint = %s", fingerprint)
        if not rows:
            raise GalleryError(f"{self.place} has no vectors of a model {fingerprint[:16]}.")
        return rows[0][0]

    def check_widths(self, fingerprint: str | None, vectors: Iterable[NewVector]) -> None:
        """Refuse vectors of another width than a model gives; None is the one that is searched.

        Raises:
            GalleryError: There is no such model, or a vector has another width.
        """
        rows = self.execute(
            "SELECT width, text_width FROM models WHERE model = %s", self.find_model(fingerprint)
        )
        if not rows:
            raise GalleryError(f"{self.place} has no model yet, so nothing can be enrolled.")
        width, text_width = rows[0]
        for row in vectors:
            if row.vector.shape != (width,):
                raise GalleryError(
                    f"A vector of shape {row.vector.shape} does not fit this gallery, whose model "
                    f"gives ({width},)."
                )
            if row.text_vector is not None and row.text_vector.shape != (text_width,):
                raise GalleryError(
                    f"A vector for texts of shape {row.text_vector.shape} does not fit this "
                    f"gallery, whose model gives {'none' if text_width is None else (text_width,)}."
                )

    def _put_model(self, model: ModelRow, state: str) -> None:
        rows = self.execute("SELECT 1 FROM models WHERE fingerprint = %s", model.fingerprint)
        number = 0 if rows else self.take_numbers("model", 1)[0]
        self.execute(
            "INSERT INTO models (model, fingerprint, width, description, text_width, state) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (fingerprint) DO UPDATE SET "
            "description = excluded.description, state = excluded.state, "
            "text_width = coalesce(excluded.text_width, models.text_width)",
            number, model.fingerprint, model.width, json.dumps(dict(model.description)),
            model.text_width, state,
        )  # fmt: skip


def to_bytes(vector: NDArray[np.float32]) -> bytes:
    """Return the bytes of a vector as they are kept."""
    return np.ascontiguousarray(vector, "<f4").tobytes()


def from_bytes(content: bytes | None) -> NDArray[np.float32] | None:
    """Return the vector of bytes that were kept, if any."""
    return None if content is None else np.frombuffer(content, "<f4")


def _model(values: Sequence[Any]) -> ModelRow:
    fingerprint, width, description, text_width = values
    return ModelRow(fingerprint, width, json.loads(description), text_width)
