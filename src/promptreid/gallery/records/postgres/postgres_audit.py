"""Audit records in PostgreSQL: links in one table, payloads in another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from promptreid.gallery.records.postgres.postgres_store import PostgresStore
from promptreid.gallery.records.record_rows import AuditHead, AuditRow

_AT_A_TIME = 4096
_CONCERNS = (
    "(number IN (SELECT number FROM audit_entries WHERE entry = ANY(%s)) OR input_hash IN "
    "(SELECT content_hash FROM entries WHERE entry = ANY(%s)))"
)


class PostgresAudit(PostgresStore):
    """The part of the records that knows what was asked and answered."""

    def audit_head(self) -> AuditHead:
        """Return the end of the chain."""
        return AuditHead(self.count("audit_count"), self.fact("audit_digest"))

    def append_audit(self, rows: Sequence[AuditRow]) -> None:
        """Put records at the end of the chain, and let the last be its head."""
        if not rows:
            return
        self.execute_many(
            "INSERT INTO audit VALUES (%s, %s, %s, %s)",
            [(row.number, row.time, row.commitment, row.digest) for row in rows],
        )
        revision = self.revision()
        self.execute_many(
            "INSERT INTO audit_payloads VALUES (%s, %s, %s, %s, %s)",
            [
                (row.number, row.salt, row.payload, row.input_hash, revision)
                for row in rows
                if row.payload is not None
            ],
        )
        self.execute_many(
            "INSERT INTO audit_entries VALUES (%s, %s)",
            [(entry, row.number) for row in rows for entry in sorted(set(row.entries))],
        )
        self.set_count("audit_count", rows[-1].number)
        self.set_fact("audit_digest", rows[-1].digest)

    def audit_rows(self, since: int = 0, number: int | None = None) -> Iterator[AuditRow]:
        """Give audit records in the order of their numbers."""
        last, only = -(1 << 62), "" if number is None else f"AND audit.number = {number:d}"
        while True:
            rows = self.execute(
                "SELECT audit.number, time, commitment, digest, salt, payload, input_hash, "
                "ARRAY(SELECT entry FROM audit_entries WHERE audit_entries.number = audit.number "
                "ORDER BY entry) FROM audit LEFT JOIN audit_payloads USING (number) "
                f"WHERE time >= %s AND audit.number > %s {only} ORDER BY audit.number LIMIT %s",
                since,
                last,
                _AT_A_TIME,
            )
            for *values, entries in rows:
                yield AuditRow(*values, tuple(entries))
            if len(rows) < _AT_A_TIME:
                return
            last = rows[-1][0]

    def payload_bytes(self, entry: int) -> list[bytes]:
        """Return the payloads that name an entry or were asked about its content."""
        rows = self.execute(
            f"SELECT convert_to(payload, 'UTF8') FROM audit_payloads WHERE {_CONCERNS} "
            "ORDER BY number",
            [entry],
            [entry],
        )
        return [row[0] for row in rows]

    def delete_payloads(self, entries: Iterable[int]) -> list[int]:
        """Delete the payloads that name entries or were asked about their contents.

        Returns:
            Numbers of their records, ascending.
        """
        chosen = list(entries)
        rows = self.execute(
            f"DELETE FROM audit_payloads WHERE {_CONCERNS} RETURNING number", chosen, chosen
        )
        return sorted(row[0] for row in rows)
