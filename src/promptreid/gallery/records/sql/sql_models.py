"""Models, which vectors they lack, and the null sample."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
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
from promptreid.gallery.records.sql.sql_store import SqlStore

_COLUMNS = "fingerprint, width, description, text_width"


class SqlModels(SqlStore):
    """The part of the records that knows models, and hands vectors to the store."""

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
        if self._is_searched(model.fingerprint):
            raise GalleryError(
                f"The vectors of the model {model.fingerprint[:16]} are those that {self.place} "
                "searches already."
            )
        self._put_model(model, BEING_MADE)

    def drop_model(self, fingerprint: str) -> None:
        """Remove a model with its vectors; `compact` is due afterwards."""
        number = self.find_model(fingerprint)
        if self._is_searched(fingerprint):
            raise GalleryError(
                f"The model {fingerprint[:16]} is the one that {self.place} searches, so its "
                "vectors stay."
            )
        for table in ("vectors", "text_vectors", "negative_vectors", "null_sample", "models"):
            self.execute(f"DELETE FROM {table} WHERE model = ?", number)
        self.require_compaction()

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
        self.check_vectors(fingerprint, vectors)
        if negatives:
            self.put_negative_vectors(number, [(row.number, row.vector) for row in vectors])
            return
        self.put_entry_vectors("vectors", number, [(row.number, row.vector) for row in vectors])
        self.put_entry_vectors(
            "text_vectors",
            number,
            [(row.number, row.text_vector) for row in vectors if row.text_vector is not None],
        )
        if self._is_searched(fingerprint):
            self.execute(
                f"UPDATE entries SET version = ? WHERE {self.among('entry')}",
                self.revision(),
                self.to_list(row.number for row in vectors),
            )

    @abstractmethod
    def put_entry_vectors(
        self, table: str, model: int, rows: Sequence[tuple[int, NDArray[np.float32]]]
    ) -> None:
        """Write vectors of those entries that are there, over those of the same model."""

    @abstractmethod
    def put_negative_vectors(
        self, model: int, rows: Sequence[tuple[int, NDArray[np.float32]]]
    ) -> None:
        """Write vectors of those negative examples that are there."""

    @abstractmethod
    def open_vector(
        self, content: bytes | None, what: str, number: int
    ) -> NDArray[np.float32] | None:
        """Return the vector of an entry or a negative example from its bytes, if there are any.

        Raises:
            StoreFailedError: They are not what was written.
        """

    def strip_vector(self, content: bytes) -> bytes:
        """Return the bytes of a vector alone, of what is kept of it."""
        return content

    def null_rows(self) -> list[NullRow]:
        """Return the null sample of the model that is searched."""
        rows = self.execute(
            "SELECT identity, entry, score, rival FROM null_sample WHERE model = ?",
            self.find_model(),
        )
        return [NullRow(*row) for row in rows]

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

    def find_width(self, model: int) -> int:
        """Return the length of the vectors of a model, by its number."""
        return self.execute("SELECT width FROM models WHERE model = ?", model)[0][0]

    def check_vectors(self, fingerprint: str | None, vectors: Iterable[NewVector]) -> None:
        """Refuse vectors of another width than a model gives, or of values that are no numbers.

        Args:
            fingerprint: That of the model; None for the one that is searched.
            vectors: What it gave.

        Raises:
            GalleryError: There is no such model, or it does not give such vectors.
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
            given = (row.vector, row.text_vector)
            if not all(np.isfinite(vector).all() for vector in given if vector is not None):
                raise GalleryError(
                    f"{self.place} cannot keep a vector whose values are infinite or no numbers. "
                    "Nothing was changed; look whether the model or the picture is damaged, or "
                    "embed with --precision fp32."
                )

    def _is_searched(self, fingerprint: str) -> bool:
        searched = self.model()
        return searched is not None and searched.fingerprint == fingerprint

    def _put_model(self, model: ModelRow, state: str) -> None:
        """Write a model; one that is there takes over the state, and what is new of the rest."""
        there = self.execute("SELECT model FROM models WHERE fingerprint = ?", model.fingerprint)
        description = json.dumps(dict(model.description))
        if there:
            self.execute(
                "UPDATE models SET description = ?, state = ?, "
                "text_width = coalesce(?, text_width) WHERE model = ?",
                description, state, model.text_width, there[0][0],
            )  # fmt: skip
            return
        self.execute(
            "INSERT INTO models (model, fingerprint, width, description, text_width, state) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            self.take_numbers("model", 1)[0], model.fingerprint, model.width, description,
            model.text_width, state,
        )  # fmt: skip


def _model(values: Sequence[Any]) -> ModelRow:
    fingerprint, width, description, text_width = values
    return ModelRow(fingerprint, width, json.loads(description), text_width)
