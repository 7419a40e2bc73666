"""Records in a schema of a PostgreSQL database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields

from promptreid.gallery.records.postgres.postgres_erasure import PostgresErasure
from promptreid.gallery.records.postgres.postgres_nearest import PostgresNearest
from promptreid.gallery.records.record_rows import AuditHead, AuditRow, Counters, EntryRow
from promptreid.gallery.records.sql.sql_columns import SqlColumns
from promptreid.gallery.records.sql.sql_negatives import SqlNegatives
from promptreid.gallery.records.sql.sql_restoring import SqlRestoring

_TYPES = {
    "entry": "bigint", "identity": "bigint", "version": "bigint", "time": "float8",
    "hidden": "boolean",
}  # fmt: skip
"""Types of the columns of an entry that are no text."""


class PostgresRecords(SqlNegatives, SqlColumns, SqlRestoring, PostgresNearest, PostgresErasure):
    """Entries, vectors, identities, models and all else in one schema."""

    named_entries = (
        "ARRAY(SELECT entry FROM audit_entries WHERE audit_entries.number = audit.number "
        "ORDER BY entry)"
    )

    def insert_entries(self, rows: Sequence[EntryRow]) -> None:
        """Write entries as arrays, which takes half the time of single rows."""
        names = [field.name for field in fields(EntryRow)]
        columns = {name: [getattr(row, name) for row in rows] for name in names}
        columns["attributes"] = [json.dumps(dict(row.attributes)) for row in rows]
        arrays = ", ".join(f"?::{_TYPES.get(name, 'text')}[]" for name in names)
        self.execute(
            f"INSERT INTO entries ({', '.join(names)}) SELECT * FROM unnest({arrays})",
            *columns.values(),
        )

    def insert_crops(self, crops: Sequence[tuple[int, bytes, int]]) -> None:
        """Write crops."""
        self.execute(
            "INSERT INTO crops SELECT * FROM unnest(?::bigint[], %b::bytea[], ?::bigint[])",
            [entry for entry, _, _ in crops],
            [crop for _, crop, _ in crops],
            [version for _, _, version in crops],
        )

    def audit_head(self) -> AuditHead:
        """Return the end of the chain."""
        return AuditHead(self.count("audit_count"), self.fact("audit_digest"))

    def set_audit_head(self, head: AuditHead) -> None:
        """Write the end of the chain."""
        self.set_count("audit_count", head.count)
        self.set_fact("audit_digest", head.digest)
        self.leave_trace(
            "SELECT digest = ? FROM audit WHERE number = ? UNION ALL "
            "SELECT false FROM counters WHERE key = 'audit_count' AND value < ?",
            head.digest,
            head.count,
            head.count,
        )

    def insert_payloads(self, rows: Sequence[AuditRow]) -> None:
        """Write payloads."""
        revision = self.revision()
        self.execute_many(
            "INSERT INTO audit_payloads VALUES (?, ?, ?, ?, ?)",
            [(row.number, row.salt, row.payload, row.input_hash, revision) for row in rows],
        )

    def counters(self) -> Counters:
        """Return the highest numbers that were given."""
        given = dict(self.execute("SELECT key, value FROM counters"))
        return Counters(given["revision"], given["entry"], given["identity"], given["negative"])

    def restore_counters(self, counters: Counters) -> None:
        """Let no number up to these be given again; none of them goes down."""
        for key in ("revision", "entry", "identity", "negative"):
            self.execute(
                "UPDATE counters SET value = greatest(value, ?) WHERE key = ?",
                getattr(counters, key),
                key,
            )
        self.write_stamp(self.revision())
