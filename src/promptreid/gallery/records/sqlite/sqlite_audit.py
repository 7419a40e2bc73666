"""Audit records in SQLite: links in one table, payloads in another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from promptreid.gallery.records.record_rows import AuditHead, AuditRow
from promptreid.gallery.records.sqlite.sqlite_file import SqliteFile

_AT_A_TIME = 4096
_LISTED = "(SELECT value FROM json_each(?))"


class SqliteAudit(SqliteFile):
    """The part of the records that knows what was asked and answered."""

    def audit_head(self) -> AuditHead:
        """Return the end of the chain."""
        return AuditHead(self.fact("audit_count"), self.fact("audit_digest"))

    def append_audit(self, rows: Sequence[AuditRow]) -> None:
        """Put records at the end of the chain, and let the last be its head."""
        if not rows:
            return
        self.execute_many(
            "INSERT INTO audit VALUES (?, ?, ?, ?)",
            [(row.number, row.time, row.commitment, row.digest) for row in rows],
        )
        self.execute_many(
            "INSERT INTO audit_payloads VALUES (?, ?, ?, ?)",
            [
                (row.number, row.salt, row.payload, row.input_hash)
                for row in rows
                if row.payload is not None
            ],
        )
        self.execute_many(
            "INSERT INTO audit_entries VALUES (?, ?)",
            [(entry, row.number) for row in rows for entry in sorted(set(row.entries))],
        )
        self.execute("UPDATE facts SET value = ? WHERE key = 'audit_count'", rows[-1].number)
        self.execute("UPDATE facts SET value = ? WHERE key = 'audit_digest'", rows[-1].digest)

    def audit_rows(self, since: int = 0, number: int | None = None) -> Iterator[AuditRow]:
        """Give audit records in the order of their numbers."""
        last, only = -(1 << 62), "" if number is None else f"AND audit.number = {number:d}"
        while True:
            rows = self.execute(
                "SELECT audit.number, time, commitment, digest, salt, payload, input_hash, "
                "(SELECT json_group_array(entry) FROM audit_entries "
                "WHERE audit_entries.number = audit.number) "
                "FROM audit LEFT JOIN audit_payloads USING (number) "
                f"WHERE time >= ? AND audit.number > ? {only} ORDER BY audit.number LIMIT ?",
                since,
                last,
                _AT_A_TIME,
            )
            for *values, entries in rows:
                yield AuditRow(*values, tuple(json.loads(entries)))
            if len(rows) < _AT_A_TIME:
                return
            last = rows[-1][0]

    def payload_bytes(self, entry: int) -> list[bytes]:
        """Return the payloads that name an entry or were asked about its content."""
        rows = self.execute(
            f"SELECT CAST(payload AS BLOB) FROM audit_payloads WHERE {_CONCERNS} ORDER BY number",
            json.dumps([entry]),
            json.dumps([entry]),
        )
        return [row[0] for row in rows]

    def delete_payloads(self, entries: Iterable[int]) -> list[int]:
        """Delete the payloads that name entries or were asked about their contents.

        Returns:
            Numbers of their records, ascending.
        """
        chosen = json.dumps(list(entries))
        rows = self.execute(
            f"SELECT number FROM audit_payloads WHERE {_CONCERNS} ORDER BY number", chosen, chosen
        )
        numbers = json.dumps([row[0] for row in rows])
        for table in ("audit_entries", "audit_payloads"):
            self.execute(f"DELETE FROM {table} WHERE number IN {_LISTED}", numbers)
        return [row[0] for row in rows]


_CONCERNS = (
    f"(number IN (SELECT number FROM audit_entries WHERE entry IN {_LISTED}) OR input_hash IN "
    f"(SELECT content_hash FROM entries WHERE entry IN {_LISTED}))"
)
