"""Erasing from PostgreSQL: tables are rewritten, and the server's files are read for remains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptreid.gallery.records.erased_bytes import LENGTH, find_in_chunks
from promptreid.gallery.records.postgres.postgres_schema import REWRITTEN
from promptreid.gallery.records.postgres.postgres_store import PostgresStore
from promptreid.gallery.records.sql.sql_store import keeping_rewriting_due

_CHUNK = 1 << 24
_FILES_AT_A_TIME = 64
_FILLING = 1 << 20
_MOST_LOG = 1 << 30
_READ_FILES = "pg_has_role('pg_read_server_files', 'USAGE')"
_CHECKPOINT = "pg_has_role('pg_checkpoint', 'USAGE')"
_FILES = """
SELECT path, (pg_stat_file(path, true)).size FROM (
    SELECT 'base/' || oid AS folder FROM pg_database WHERE datname = current_database()
    UNION ALL VALUES ('base/pgsql_tmp'), ('pg_wal')
) AS folders, LATERAL (
    SELECT folder || '/' || name AS path FROM pg_ls_dir(folder, true, false) AS name
) AS files
WHERE NOT coalesce((pg_stat_file(path, true)).isdir, true)
"""
_GALLERIES = """
SELECT quote_ident(schemaname) FROM pg_tables
WHERE tablename IN ('counters', 'facts', 'crops', 'vectors', 'audit_payloads')
    AND has_schema_privilege(schemaname, 'USAGE')
    AND has_table_privilege(quote_ident(schemaname) || '.' || quote_ident(tablename), 'SELECT')
GROUP BY schemaname HAVING count(*) = 5
"""
_LOG_SIZE = """
SELECT coalesce(sum((pg_stat_file('pg_wal/' || name, true)).size), 0)::bigint
FROM pg_ls_dir('pg_wal', true, false) AS name WHERE name ~ '^[0-9A-F]{24}$'
"""


class PostgresErasure(PostgresStore):
    """The part of the records that lets nothing of what was erased stay.

    Deleted rows stay in the files of a table until it is rewritten, and in the server's
    write-ahead log until that is used anew. The log is emptied where the user may ask for a
    checkpoint; what it holds, and what is in the tables' files, is read where the user may read
    the server's files.
    """

    @property
    def derived(self) -> None:
        """No folder: nothing beside the database may hold anything."""
        return

    @property
    def is_compaction_due(self) -> bool:
        """Whether bytes of what was deleted may still be in the store."""
        return bool(self.count("compaction_due"))

    def compact(self) -> None:
        """Rewrite all tables that rows are erased from, and write over the log.

        `ALTER TABLE` writes what is committed and nothing else, where `VACUUM FULL` would keep what
        an old snapshot of somebody may still see. It waits until nobody reads.
        """
        with keeping_rewriting_due(self.place):
            due = self.count("compaction_due")
            self._rewrite()
            self._write_over_log()
            self.execute(
                "UPDATE counters SET value = 0 WHERE key = 'compaction_due' AND value = ?", due
            )

    def _rewrite(self) -> None:
        with self.locking("LOCK TABLE counters IN ACCESS EXCLUSIVE MODE"):
            for table in REWRITTEN:
                self.execute(
                    f"ALTER TABLE {table} ALTER COLUMN version TYPE bigint USING version + 0"
                )

    def find_bytes(self, pieces: Sequence[bytes]) -> list[bytes]:
        """Return those of some pieces that occur in the server's files but in no record.

        Where they may not be read, nothing is found; `searched_place` says so.
        """
        if not pieces or not self._may(_READ_FILES):
            return []
        found = find_in_chunks(self._read_files(), pieces)
        return [piece for piece in found if not self._is_recorded(piece)]

    @property
    def searched_place(self) -> str:
        """Where `find_bytes` looks, in words."""
        if self._may(_READ_FILES):
            return f"any file of the database of {self.place} or the write-ahead log of its server"
        return (
            f"any table of {self.place}; the files of its server and its write-ahead log were not "
            "looked at, which takes a user with the role pg_read_server_files"
        )

    def _read_files(self) -> Iterator[bytes]:
        """Give the files of this database and of the log, large ones in chunks."""
        files = self.execute(_FILES)
        small = [path for path, size in files if size <= _CHUNK]
        for start in range(0, len(small), _FILES_AT_A_TIME):
            part = small[start : start + _FILES_AT_A_TIME]
            yield from (
                content or b""
                for (content,) in self.execute(
                    "SELECT pg_read_binary_file(path, 0, ?, true) FROM unnest(?::text[]) AS path",
                    _CHUNK,
                    part,
                )
            )
        for path, size in files:
            for start in range(0, size, _CHUNK - LENGTH + 1) if size > _CHUNK else ():
                [(content,)] = self.execute(
                    "SELECT pg_read_binary_file(?, ?, ?, true)", path, start, _CHUNK
                )
                yield content or b""

    def _is_recorded(self, piece: bytes) -> bool:
        """Tell whether bytes belong to a record, of this gallery or another of the database."""
        return any(
            self.execute(
                f"SELECT 1 FROM {schema}.{table} WHERE position(%b::bytea in {column}) > 0 LIMIT 1",
                piece,
            )
            for (schema,) in self.execute(_GALLERIES)
            for table, column in self.list_contents()
        )

    def _write_over_log(self) -> None:
        """Write over the segments of the log that are kept to be used again, where that is allowed.

        They are not where the log is larger than is written here, as with much to be replicated.
        """
        if not self._may(_CHECKPOINT) or not self._may(_READ_FILES):
            return
        [(segment,)] = self.execute("SELECT pg_size_bytes(current_setting('wal_segment_size'))")
        self._fill_log(segment)  # what is erased is behind the next checkpoint then, all of it
        self.execute("CHECKPOINT")
        [(size,)] = self.execute(_LOG_SIZE)
        self._fill_log(min(size, _MOST_LOG))
        self.execute("CHECKPOINT")

    def _fill_log(self, size: int) -> None:
        for _ in range(size // _FILLING + 1):
            self.execute(
                "SELECT pg_logical_emit_message(false, 'promptreid', repeat(' ', ?))", _FILLING
            )

    def _may(self, right: str) -> bool:
        return self.execute(f"SELECT {right}")[0][0]
