"""Models, their vectors, and the null sample in SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from numpy.typing import NDArray

from promptreid.errors import GalleryError
from promptreid.gallery.records.record_rows import (
    BEING_MADE,
    KEPT,
    SEARCHED,
    ModelRow,
    NewVector,
    NullRow,
    StoredModel,
)
from promptreid.gallery.records.sqlite.sealed_vectors import is_whole, to_blob, to_vector
from promptreid.gallery.records.sqlite.sqlite_errors import tell_damage
from promptreid.gallery.records.sqlite.sqlite_file import SqliteFile

_COLUMNS = "fingerprint, width, description, text_width"


class SqliteVectors(SqliteFile):
    """The part of the records that knows models."""

    def model(self) -> ModelRow | None:
        """Return the model whose vectors are searched."""
        rows = self.execute(f"SELECT {_COLUMNS} FROM models WHERE state = ?", SEARCHED)
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
            self.execute("UPDATE models SET state = ? WHERE state = ?", KEPT, SEARCHED)
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
            self.execute(f"DELETE FROM {table} WHERE model = ?", number)
        self.execute("UPDATE facts SET value = 1 WHERE key = 'compaction_due'")

    def missing_vectors(
        self, fingerprint: str, *, text: bool = False, negatives: bool = False
    ) -> list[int]:
        """Return the numbers of entries without a vector of a model, ascending."""
        table, column, vectors = "entries", "entry", "text_vectors" if text else "vectors"
        if negatives:
            table, column, vectors = "negatives", "negative", "negative_vectors"
        rows = self.execute(
            f"SELECT {column} FROM {table} WHERE NOT EXISTS (SELECT 1 FROM {vectors} WHERE "
            f"{vectors}.{column} = {table}.{column} AND model = ?) "
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
        for table, column, parent, name in (
            ("negative_vectors", "negative", "negatives", "vector"),
        ) if negatives else (
            ("vectors", "entry", "entries", "vector"),
            ("text_vectors", "entry", "entries", "text_vector"),
        ):  # fmt: skip
            self.execute_many(
                f"INSERT OR REPLACE INTO {table} SELECT {column}, ?, ? FROM {parent} "
                f"WHERE {column} = ?",
                [
                    (number, to_blob(getattr(row, name)), row.number)
                    for row in vectors
                    if getattr(row, name) is not None
                ],
            )
        searched = self.model()
        if not negatives and searched is not None and searched.fingerprint == fingerprint:
            revision = self.revision()
            self.execute_many(
                "UPDATE entries SET version = ? WHERE entry = ?",
                [(revision, row.number) for row in vectors],
            )

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

    def open_vector(self, blob: bytes | None, what: str, number: int) -> NDArray | None:
        """Return the vector of an entry or a negative example from its bytes, if there are any.

        Raises:
            StoreFailedError: They are not what was written.
        """
        try:
            return None if blob is None else to_vector(blob)
        except ValueError as error:
            raise tell_damage(self.place, f"the vector of {what} {number}: {error}") from error

    def null_rows(self) -> list[NullRow]:
        """Return the null sample of the model that is searched."""
        rows = self.execute(
            "SELECT identity, entry, score, rival FROM null_sample WHERE model = ?",
            self.find_model(),
        )
        return [NullRow(*row) for row in rows]

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

    def find_model(self, fingerprint: str | None = None) -> int:
        """Return the number of a model; by default that which is searched, 0 before the first.

        Raises:
            GalleryError: There is no such model.
        """
        if fingerprint is None:
            rows = self.execute("SELECT model FROM models WHERE state = ?", SEARCHED)
            return rows[0][0] if rows else 0
        rows = self.execute("SELECT model FROM models WHERE fingerprint = ?", fingerprint)
        if not rows:
            raise GalleryError(f"{self.place} has no vectors of a model {fingerprint[:16]}.")
        return rows[0][0]

    def check_widths(self, fingerprint: str | None, vectors: Iterable[NewVector]) -> None:
        """Refuse vectors of another width than a model gives; None is the one that is searched.

        Raises:
            GalleryError: There is no such model, or a vector has another width.
        """
        rows = self.execute(
            "SELECT width, text_width FROM models WHERE model = ?", self.find_model(fingerprint)
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

    def _put_model(self, model: ModelRow, state: str) -> None:
        self.execute(
            "INSERT INTO models (fingerprint, width, description, text_width, state) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE SET "
            "description = excluded.description, state = excluded.state, "
            "text_width = coalesce(excluded.text_width, text_width)",
            model.fingerprint, model.width, json.dumps(dict(model.description)),
            model.text_width, state,
        )  # fmt: skip


def _model(values: Sequence) -> ModelRow:
    fingerprint, width, description, text_width = values
    return ModelRow(fingerprint, width, json.loads(description), text_width)
