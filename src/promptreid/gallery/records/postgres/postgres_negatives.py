"""Negative examples in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from promptreid.errors import GalleryError
from promptreid.gallery.records.postgres.postgres_vectors import PostgresVectors, from_bytes
from promptreid.gallery.records.record_rows import NegativeRow, NewNegative, NewVector, Picture


class PostgresNegatives(PostgresVectors):
    """The part of the records that knows what does not show an identity."""

    def add_negatives(self, negatives: Sequence[NewNegative]) -> list[int]:
        """Write negative examples, and return their numbers, in order."""
        given = [NewVector(0, row.vector) for row in negatives if row.vector is not None]
        if given:
            self.check_widths(None, given)
        revision, model, numbers = self.revision(), self.find_model(), []
        for row in negatives:
            there = self.execute(
                "SELECT negative FROM negatives WHERE identity = %s AND content_hash = %s",
                row.identity,
                row.content_hash,
            )
            if there:
                numbers.append(there[0][0])
                continue
            numbers += self.take_numbers("negative", 1)
            self.execute(
                "INSERT INTO negatives VALUES (%s, %s, %s, %s, %b, %s, %s, %s)",
                numbers[-1], row.identity, row.content_hash, row.entry, row.crop, row.path,
                row.box, revision,
            )  # fmt: skip
            if row.vector is not None:
                self.put_negative_vectors(model, [(numbers[-1], row.vector)])
            self._touch_identity(row.identity)
        return numbers

    def negatives(self, model: str | None = None) -> list[NegativeRow]:
        """Return all negative examples, by number."""
        number = self.find_model(model)
        rows = self.execute(
            "SELECT n.negative, n.identity, n.content_hash, n.entry, n.path, n.box, n.version, "
            "coalesce(own.vector, entered.vector) FROM negatives AS n "
            "LEFT JOIN negative_vectors AS own ON own.negative = n.negative AND own.model = %s "
            "LEFT JOIN vectors AS entered ON entered.entry = n.entry AND entered.model = %s "
            "ORDER BY n.negative",
            number,
            number,
        )
        return [NegativeRow(*values, from_bytes(content)) for *values, content in rows]

    def negative_picture(self, negative: int) -> Picture:
        """Return where the pixels of a negative example are, which may be those of an entry."""
        rows = self.execute(
            "SELECT n.content_hash, coalesce(n.crop, crops.content), coalesce(n.path, e.path), "
            "CASE WHEN n.entry IS NULL THEN n.box ELSE e.box END FROM negatives AS n "
            "LEFT JOIN entries AS e USING (entry) LEFT JOIN crops USING (entry) "
            "WHERE n.negative = %s",
            negative,
        )
        if not rows:
            raise GalleryError(f"There is no negative example {negative} in {self.place}.")
        return Picture(*rows[0])

    def negative_bytes(self, negative: int) -> list[bytes]:
        """Return what the tables hold of a negative example: crop and vectors of its own."""
        rows = self.execute(
            "SELECT crop FROM negatives WHERE negative = %s AND crop IS NOT NULL", negative
        )
        rows += self.execute("SELECT vector FROM negative_vectors WHERE negative = %s", negative)
        return [row[0] for row in rows]

    def move_negatives(self, identity: int, into: int) -> None:
        """Let negative examples of an identity be those of another, each once."""
        self.execute(
            "UPDATE negatives SET identity = %s, version = %s WHERE identity = %s AND NOT EXISTS "
            "(SELECT 1 FROM negatives AS others WHERE others.identity = %s "
            "AND others.content_hash = negatives.content_hash)",
            into,
            self.revision(),
            identity,
            into,
        )
        self._touch_identity(into)

    def remove_negatives(self, negatives: Iterable[int]) -> None:
        """Remove negative examples; `compact` is due afterwards."""
        chosen = list(negatives)
        self.execute(
            "UPDATE identities SET version = %s WHERE identity IN "
            "(SELECT identity FROM negatives WHERE negative = ANY(%s))",
            self.revision(),
            chosen,
        )
        self.execute("DELETE FROM negatives WHERE negative = ANY(%s)", chosen)
        self.set_count("compaction_due", 1)

    def _touch_identity(self, identity: int) -> None:
        self.execute(
            "UPDATE identities SET version = %s WHERE identity = %s", self.revision(), identity
        )
