"""Audit records: links in one table, payloads in another."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from promptreid.gallery.records.record_rows import AuditHead, AuditRow
from promptreid.gallery.records.sql.sql_store import SqlStore

_AT_A_TIME = 4096


class SqlAudit(SqlStore):
    """The part of the records that knows what was asked and answered.

    Attributes:
        named_entries: Expression for the entries that a record names, for `read_numbers`.
    """

    named_entries: str

    @abstractmethod
    def audit_head(self) -> AuditHead:
        """Return the end of the chain."""

    @abstractmethod
    def set_audit_head(self, head: AuditHead) -> None:
        """Write the end of the chain."""

    @abstractmethod
    def insert_payloads(self, rows: Sequence[AuditRow]) -> None:
        """Write payloads, all of which are there."""

    def append_audit(self, rows: Sequence[AuditRow]) -> None:
        """Put records at the end of the chain, and let the last be its head."""
        if not rows:
            return
        self.execute_many(
            "INSERT INTO audit VALUES (?, ?, ?, ?)",
            [(row.number, row.time, row.commitment, row.digest) for row in rows],
        )
        self.insert_payloads([row for row in rows if row.payload is not None])
        self.execute_many(
            "INSERT INTO audit_entries VALUES (?, ?)",
            [(entry, row.number) for row in rows for entry in sorted(set(row.entries))],
        )
        self.set_audit_head(AuditHead(rows[-1].number, rows[-1].digest))

    def audit_rows(self, since: int = 0, number: int | None = None) -> Iterator[AuditRow]:
        """Give audit records in the order of their numbers."""
        last, only = -(1 << 62), "" if number is None else f"AND audit.number = {number:d}"
        while True:
            rows = self.execute(
                "SELECT audit.number, time, commitment, digest, salt, payload, input_hash, "
                f"{self.named_entries} FROM audit LEFT JOIN audit_payloads USING (number) "
                f"WHERE time >= ? AND audit.number > ? {only} ORDER BY audit.number LIMIT ?",
                since,
                last,
                _AT_A_TIME,
            )
            for *values, entries in rows:
                yield AuditRow(*values, tuple(self.read_numbers(entries)))
            if len(rows) < _AT_A_TIME:
                return
            last = rows[-1][0]

    def read_numbers(self, numbers: Any) -> Iterable[int]:
        """Return the numbers that `named_entries` gave."""
        return numbers

    def payload_bytes(self, entry: int) -> list[bytes]:
        """Return the payloads that name an entry or were asked about its content."""
        chosen = self.to_list([entry])
        rows = self.execute(
            f"SELECT {self.as_bytes('payload')} FROM audit_payloads WHERE {self._concerned()} "
            "ORDER BY number",
            chosen,
            chosen,
        )
        return [row[0] for row in rows]

    def delete_payloads(self, entries: Iterable[int]) -> list[int]:
        """Delete the payloads that name entries or were asked about their contents.

        Returns:
            Numbers of their records, ascending.
        """
        chosen = self.to_list(entries)
        rows = self.execute(
            f"DELETE FROM audit_payloads WHERE {self._concerned()} RETURNING number", chosen, chosen
        )
        return sorted(row[0] for row in rows)

    def erase_payloads(self, numbers: Iterable[int]) -> None:
        """Delete payloads by the numbers of their records; `compact` is due afterwards."""
        self.execute(
            f"DELETE FROM audit_payloads WHERE {self.among('number')}", self.to_list(numbers)
        )
        self.require_compaction()

    def _concerned(self) -> str:
        """Return the condition that a payload concerns some entries, whose list it takes twice."""
        entries = self.among("entry")
        return (
            f"(number IN (SELECT number FROM audit_entries WHERE {entries}) OR input_hash IN "
            f"(SELECT content_hash FROM entries WHERE {entries}))"
        )
