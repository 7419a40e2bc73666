"""Writing rows as they were elsewhere, with their numbers."""

from __future__ import annotations

from collections.abc import Iterable

from promptreid.gallery.records.record_rows import EntryRow, IdentityRow, NegativeRow
from promptreid.gallery.records.sql.sql_entries import SqlEntries
from promptreid.gallery.records.sql.sql_negatives import COLUMNS


class SqlRestoring(SqlEntries):
    """The part of the records that becomes the copy of others."""

    def restore_identities(self, rows: Iterable[IdentityRow]) -> None:
        """Write identities with their numbers, names, notes and versions."""
        self.execute_many(
            "INSERT INTO identities (identity, name, note, version) VALUES (?, ?, ?, ?)",
            [(row.identity, row.name, row.note, row.version) for row in rows],
        )

    def restore_entries(self, rows: Iterable[tuple[EntryRow, bytes | None]]) -> None:
        """Write entries with their numbers and versions, each with its crop if any."""
        written = list(rows)
        self.insert_entries([row for row, _ in written])
        self.insert_crops(
            [(row.entry, crop, row.version) for row, crop in written if crop is not None]
        )

    def restore_negatives(self, rows: Iterable[tuple[NegativeRow, bytes | None]]) -> None:
        """Write negative examples with their numbers, each with its crop if any; no vectors."""
        self.execute_many(
            f"INSERT INTO negatives (negative, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    row.negative, row.identity, row.content_hash, row.entry, crop, row.path,
                    row.box, row.version,
                )
                for row, crop in rows
            ],
        )  # fmt: skip
