"""Negative examples in SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from promptreid.gallery.gallery_errors import NotEnrolledError
from promptreid.gallery.records.record_rows import NegativeRow, NewNegative, NewVector, Picture
from promptreid.gallery.records.sqlite.sealed_vectors import strip_seal, to_blob
from promptreid.gallery.records.sqlite.sqlite_vectors import SqliteVectors


class SqliteNegatives(SqliteVectors):
    """The part of the records that knows what does not show an identity."""

    def add_negatives(self, negatives: Sequence[NewNegative]) -> list[int]:
        """Write negative examples, and return their numbers, in order."""
        self.check_widths(
            None, [NewVector(0, row.vector) for row in negatives if row.vector is not None]
        )
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
            number = self.execute(
                "INSERT INTO negatives (identity, content_hash, entry, crop, path, box, version) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING negative",
                row.identity, row.content_hash, row.entry, row.crop, row.path, row.box, revision,
            )[0][0]  # fmt: skip
            numbers.append(number)
            if row.vector is not None:
                self.execute(
                    "INSERT INTO negative_vectors VALUES (?, ?, ?)",
                    number,
                    model,
                    to_blob(row.vector),
                )
            self._touch_identity(row.identity)
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
            NegativeRow(*values, self.open_vector(blob, "negative example", values[0]))
            for *values, blob in rows
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
        """Return what the file holds of a negative example: crop and vectors of its own."""
        rows = self.execute(
            "SELECT crop FROM negatives WHERE negative = ? AND crop IS NOT NULL", negative
        )
        sealed = self.execute("SELECT vector FROM negative_vectors WHERE negative = ?", negative)
        return [*(row[0] for row in rows), *(strip_seal(row[0]) for row in sealed)]

    def move_negatives(self, identity: int, into: int) -> None:
        """Let negative examples of an identity be those of another, each once."""
        self.execute(
            "UPDATE OR IGNORE negatives SET identity = ?, version = ? WHERE identity = ?",
            into,
            self.revision(),
            identity,
        )
        self._touch_identity(into)

    def remove_negatives(self, negatives: Iterable[int]) -> None:
        """Remove negative examples; `compact` is due afterwards."""
        chosen = json.dumps(sorted(negatives))
        listed = "negative IN (SELECT value FROM json_each(?))"
        for row in self.execute(f"SELECT DISTINCT identity FROM negatives WHERE {listed}", chosen):
            self._touch_identity(row[0])
        for table in ("negative_vectors", "negatives"):
            self.execute(f"DELETE FROM {table} WHERE {listed}", chosen)
        self.execute("UPDATE facts SET value = 1 WHERE key = 'compaction_due'")

    def _touch_identity(self, identity: int) -> None:
        self.execute(
            "UPDATE identities SET version = ? WHERE identity = ?", self.revision(), identity
        )
