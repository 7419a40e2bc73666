"""Writing rows into PostgreSQL as they were elsewhere, with their numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable

from promptreid.gallery.records.postgres.postgres_store import PostgresStore
from promptreid.gallery.records.record_rows import Counters, EntryRow, IdentityRow, NegativeRow


class PostgresRestoring(PostgresStore):
    """The part of the records that becomes the copy of others."""

    def counters(self) -> Counters:
        """Return the highest numbers that were given."""
        given = dict(self.execute("SELECT key, value FROM counters"))
        return Counters(given["revision"], given["entry"], given["identity"], given["negative"])

    def restore_identities(self, rows: Iterable[IdentityRow]) -> None:
        """Write identities with their numbers, names, notes and versions."""
        self.execute_many(
            "INSERT INTO identities (identity, name, note, version) VALUES (%s, %s, %s, %s)",
            [(row.identity, row.name, row.note, row.version) for row in rows],
        )

    def restore_entries(self, rows: Iterable[tuple[EntryRow, bytes | None]]) -> None:
        """Write entries with their numbers and versions, each with its crop if any."""
        written = list(rows)
        self.execute_many(
            "INSERT INTO entries (entry, content_hash, identity, camera, time, domain, attributes, "
            "path, box, hidden, version) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    row.entry, row.content_hash, row.identity, row.camera, row.time, row.domain,
                    json.dumps(dict(row.attributes)), row.path, row.box, row.hidden, row.version,
                )
                for row, _ in written
            ],
        )  # fmt: skip
        self.execute_many(
            "INSERT INTO crops VALUES (%s, %b, %s)",
            [(row.entry, crop, row.version) for row, crop in written if crop is not None],
        )

    def restore_negatives(self, rows: Iterable[tuple[NegativeRow, bytes | None]]) -> None:
        """Write negative examples with their numbers, each with its crop if any; no vectors."""
        self.execute_many(
            "INSERT INTO negatives (negative, identity, content_hash, entry, crop, path, box, "
            "version) VALUES (%s, %s, %s, %s, %b, %s, %s, %s)",
            [
                (
                    row.negative, row.identity, row.content_hash, row.entry, crop, row.path,
                    row.box, row.version,
                )
                for row, crop in rows
            ],
        )  # fmt: skip

    def restore_counters(self, counters: Counters) -> None:
        """Let no number up to these be given again; none of them goes down."""
        for key in ("revision", "entry", "identity", "negative"):
            self.execute(
                "UPDATE counters SET value = greatest(value, %s) WHERE key = %s",
                getattr(counters, key),
                key,
            )
        self.write_stamp(self.revision())
