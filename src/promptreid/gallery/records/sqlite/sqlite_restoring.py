"""Writing rows into SQLite as they were elsewhere, with their numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable

from promptreid.gallery.records.record_rows import (
    Counters,
    EntryRow,
    IdentityRow,
    NegativeRow,
)
from promptreid.gallery.records.sqlite.sqlite_file import SqliteFile
from promptreid.gallery.records.sqlite.sqlite_schema import write_stamp

_NUMBERED = ("entries", "identities", "negatives")


class SqliteRestoring(SqliteFile):
    """The part of the records that becomes the copy of others."""

    def counters(self) -> Counters:
        """Return the highest numbers that were given."""
        given = dict(self.execute("SELECT name, seq FROM sqlite_sequence"))
        return Counters(self.fact("revision"), *(given.get(table, 0) for table in _NUMBERED))

    def restore_identities(self, rows: Iterable[IdentityRow]) -> None:
        """Write identities with their numbers, names, notes and versions."""
        self.execute_many(
            "INSERT INTO identities (identity, name, note, version) VALUES (?, ?, ?, ?)",
            ((row.identity, row.name, row.note, row.version) for row in rows),
        )

    def restore_entries(self, rows: Iterable[tuple[EntryRow, bytes | None]]) -> None:
        """Write entries with their numbers and versions, each with its crop if any."""
        written = list(rows)
        self.execute_many(
            "INSERT INTO entries (entry, content_hash, identity, camera, time, domain, attributes, "
            "path, box, hidden, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    row.entry, row.content_hash, row.identity, row.camera, row.time, row.domain,
                    json.dumps(dict(row.attributes)), row.path, row.box, int(row.hidden),
                    row.version,
                )
                for row, _ in written
            ],
        )  # fmt: skip
        self.execute_many(
            "INSERT INTO crops VALUES (?, ?)",
            [(row.entry, crop) for row, crop in written if crop is not None],
        )

    def restore_negatives(self, rows: Iterable[tuple[NegativeRow, bytes | None]]) -> None:
        """Write negative examples with their numbers, each with its crop if any; no vectors."""
        self.execute_many(
            "INSERT INTO negatives (negative, identity, content_hash, entry, crop, path, box, "
            "version) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    row.negative, row.identity, row.content_hash, row.entry, crop, row.path,
                    row.box, row.version,
                )
                for row, crop in rows
            ),
        )  # fmt: skip

    def restore_counters(self, counters: Counters) -> None:
        """Let no number up to these be given again; none of them goes down."""
        highest = dict(
            zip(_NUMBERED, (counters.entry, counters.identity, counters.negative), strict=True)
        )
        for table, number in highest.items():
            self.execute(
                "INSERT INTO sqlite_sequence SELECT ?, 0 WHERE NOT EXISTS "
                "(SELECT 1 FROM sqlite_sequence WHERE name = ?)",
                table,
                table,
            )
            self.execute(
                "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", number, table
            )
        self.execute(
            "UPDATE facts SET value = max(value, ?) WHERE key = 'revision'", counters.revision
        )
        write_stamp(self._connection)
