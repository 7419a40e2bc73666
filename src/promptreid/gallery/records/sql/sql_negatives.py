"""Negative examples: pictures that do not show an identity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from promptreid.gallery.gallery_errors import NotEnrolledError
from promptreid.gallery.records.record_rows import NegativeRow, NewNegative, NewVector, Picture
from promptreid.gallery.records.sql.sql_models import SqlModels

COLUMNS = "identity, content_hash, entry, crop, path, box, version"
"""Columns of a negative example beside its number."""


class SqlNegatives(SqlModels):
    """The part of the records that knows what does not show an identity."""

    def add_negatives(self, negatives: Sequence[NewNegative]) -> list[int]:
        """Write negative examples, and return their numbers, in order."""
        given = [NewVector(0, row.vector) for row in negatives if row.vector is not None]
        if given:
            self.check_vectors(None, given)
        revision, model, numbers = self.revision(), self.find_model(), []
        for row in negatives:
            there = self.execute(
                "SELECT negative FROM negatives WHERE identity = ? AND content_hash = ?",
                row.identity,
                row.content_hash,
            )
            if there:
                numbers.append(there[0][0])
                continue
            [number] = self.take_numbers("negative", 1)
            numbers.append(number)
            self.execute(
                f"INSERT INTO negatives (negative, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                number, row.identity, row.content_hash, row.entry, row.crop, row.path, row.box,
                revision,
            )  # fmt: skip
            if row.vector is not None:
                self.put_negative_vectors(model, [(number, row.vector)])
            self.touch_identity(row.identity)
        return numbers

    def negatives(self, model: str | None = None) -> list[NegativeRow]:
        """Return all negative examples, by number."""
        number = self.find_model(model)
        rows = self.execute(
            "SELECT n.negative, n.identity, n.content_hash, n.entry, n.path, n.box, n.version, "
            "coalesce(own.vector, entered.vector) FROM negatives AS n "
            "LEFT JOIN negative_vectors AS own ON own.negative = n.negative AND own.model = ? "
            "LEFT JOIN vectors AS entered ON entered.entry = n.entry AND entered.model = ? "
            "ORDER BY n.negative",
            number,
            number,
        )
        return [
            NegativeRow(*values, self.open_vector(content, "negative example", values[0]))
            for *values, content in rows
        ]

    def negative_picture(self, negative: int) -> Picture:
        """Return where the pixels of a negative example are, which may be those of an entry."""
        rows = self.execute(
            "SELECT n.content_hash, coalesce(n.crop, crops.content), coalesce(n.path, e.path), "
            "CASE WHEN n.entry IS NULL THEN n.box ELSE e.box END FROM negatives AS n "
            "LEFT JOIN entries AS e USING (entry) LEFT JOIN crops USING (entry) "
            "WHERE n.negative = ?",
            negative,
        )
        if not rows:
            raise NotEnrolledError(f"There is no negative example {negative} in {self.place}.")
        return Picture(*rows[0])

    def negative_bytes(self, negative: int) -> list[bytes]:
        """Return what the store holds of a negative example: crop and vectors of its own."""
        rows = self.execute(
            "SELECT crop FROM negatives WHERE negative = ? AND crop IS NOT NULL", negative
        )
        vectors = self.execute("SELECT vector FROM negative_vectors WHERE negative = ?", negative)
        return [*(row[0] for row in rows), *(self.strip_vector(row[0]) for row in vectors)]

    def move_negatives(self, identity: int, into: int) -> None:
        """Let negative examples of an identity be those of another, each once."""
        self.execute(
            "UPDATE negatives SET identity = ?, version = ? WHERE identity = ? AND NOT EXISTS "
            "(SELECT 1 FROM negatives AS others WHERE others.identity = ? "
            "AND others.content_hash = negatives.content_hash)",
            into,
            self.revision(),
            identity,
            into,
        )
        self.touch_identity(into)

    def remove_negatives(self, negatives: Iterable[int]) -> None:
        """Remove negative examples; `compact` is due afterwards."""
        chosen = self.to_list(negatives)
        self.execute(
            "UPDATE identities SET version = ? WHERE identity IN "
            f"(SELECT identity FROM negatives WHERE {self.among('negative')})",
            self.revision(),
            chosen,
        )
        self.execute(f"DELETE FROM negatives WHERE {self.among('negative')}", chosen)
        self.require_compaction()
