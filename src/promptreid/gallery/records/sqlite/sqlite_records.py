"""Records in a folder, by SQLite: one file holds everything that must not be lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from promptreid.gallery.records.record_rows import (
    AuditHead,
    AuditRow,
    Counters,
    EntryColumns,
    EntryRow,
)
from promptreid.gallery.records.sql.sql_columns import SqlColumns
from promptreid.gallery.records.sql.sql_negatives import SqlNegatives
from promptreid.gallery.records.sql.sql_restoring import SqlRestoring
from promptreid.gallery.records.sqlite.sqlite_errors import tell_damage
from promptreid.gallery.records.sqlite.sqlite_file import NUMBERED
from promptreid.gallery.records.sqlite.sqlite_schema import write_stamp
from promptreid.gallery.records.sqlite.sqlite_vectors import SqliteVectors


class SqliteRecords(SqlNegatives, SqlColumns, SqlRestoring, SqliteVectors):
    """Entries, vectors, identities, models and all else in `FOLDER/records.sqlite`."""

    named_entries = (
        "(SELECT json_group_array(entry) FROM audit_entries "
        "WHERE audit_entries.number = audit.number)"
    )

    def name_changed_entries(self, since: int) -> str:
        """Let SQLite look for few changes by their version."""
        return "entries" if since < 0 else "entries INDEXED BY entries_by_version"

    def read_entry(self, values: Sequence[Any]) -> EntryRow:
        """Return the columns of an entry as a row, after a look whether they are damaged."""
        try:
            bytes.fromhex(values[1])  # the content hash, whose beginning is read as a number
            return super().read_entry(values)
        except (TypeError, ValueError) as error:
            raise tell_damage(self.place, f"entry {values[0]}: {error}") from error

    def read_columns(self, rows: Sequence[tuple[Any, ...]]) -> EntryColumns:
        """Turn rows into columns, after a look whether they are damaged."""
        try:
            return super().read_columns(rows)
        except (TypeError, ValueError) as error:
            numbers = f"entries {rows[0][0]} to {rows[-1][0]}"
            raise tell_damage(self.place, f"{numbers}: {error}") from error

    def insert_crops(self, crops: Sequence[tuple[int, bytes, int]]) -> None:
        """Write crops; they have no version of their own."""
        self.execute_many(
            "INSERT INTO crops VALUES (?, ?)", [(entry, crop) for entry, crop, _ in crops]
        )

    def audit_head(self) -> AuditHead:
        """Return the end of the chain."""
        return AuditHead(self.fact("audit_count"), self.fact("audit_digest"))

    def set_audit_head(self, head: AuditHead) -> None:
        """Write the end of the chain."""
        self.execute("UPDATE facts SET value = ? WHERE key = 'audit_count'", head.count)
        self.execute("UPDATE facts SET value = ? WHERE key = 'audit_digest'", head.digest)

    def insert_payloads(self, rows: Sequence[AuditRow]) -> None:
        """Write payloads."""
        self.execute_many(
            "INSERT INTO audit_payloads VALUES (?, ?, ?, ?)",
            [(row.number, row.salt, row.payload, row.input_hash) for row in rows],
        )

    def read_numbers(self, numbers: str) -> Iterable[int]:
        """Return numbers that come as JSON."""
        return json.loads(numbers)

    def counters(self) -> Counters:
        """Return the highest numbers that were given."""
        given = dict(self.execute("SELECT name, seq FROM sqlite_sequence"))
        last = {what: given.get(table, 0) for what, table in NUMBERED.items()}
        return Counters(self.fact("revision"), last["entry"], last["identity"], last["negative"])

    def restore_counters(self, counters: Counters) -> None:
        """Let no number up to these be given again; none of them goes down."""
        for what in ("entry", "identity", "negative"):
            table = NUMBERED[what]
            self.execute(
                "INSERT INTO sqlite_sequence SELECT ?, 0 WHERE NOT EXISTS "
                "(SELECT 1 FROM sqlite_sequence WHERE name = ?)",
                table,
                table,
            )
            self.execute(
                "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?",
                getattr(counters, what),
                table,
            )
        self.execute(
            "UPDATE facts SET value = max(value, ?) WHERE key = 'revision'", counters.revision
        )
        write_stamp(self._connection)
