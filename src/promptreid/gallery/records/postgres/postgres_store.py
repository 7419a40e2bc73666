"""A gallery's schema: made, opened, its transactions, settings and damage."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Generator, Iterable, Mapping
from typing import Self

from psycopg import errors, sql

from promptreid.errors import GalleryError
from promptreid.gallery.records.gallery_url import GalleryUrl
from promptreid.gallery.records.postgres.postgres_connection import HOLDING, PostgresConnection
from promptreid.gallery.records.postgres.postgres_schema import FORMAT, list_statements
from promptreid.gallery.records.sql.sql_store import SqlStore
from promptreid.gallery.records.sqlite.sqlite_schema import STAMPS_KEPT

_OLDEST_VECTOR = (0, 7)
"""Version of pgvector from which on there are vectors of 16 bits."""

_TABLES = (
    "SELECT tablename FROM pg_tables WHERE schemaname = ? "
    "UNION ALL SELECT viewname FROM pg_views WHERE schemaname = ?"
)


class PostgresStore(PostgresConnection, SqlStore):
    """One connection to the records of one gallery."""

    @classmethod
    def create(cls, url: GalleryUrl, settings: Mapping[str, str]) -> Self:
        """Make empty records in a schema that is empty or not there.

        Raises:
            GalleryError: The schema holds something, or the server cannot be used.
        """
        store = cls(url)
        taken = GalleryError(
            f"{store.place} is there and not empty. A gallery needs a schema of its own, which is "
            "the last part of its URL."
        )
        try:
            store._make_extension()
            schema = sql.Identifier(url.schema).as_string()
            with store.locking(f"CREATE SCHEMA IF NOT EXISTS {schema}"):
                if store.execute(_TABLES, url.schema, url.schema):
                    raise taken
                for statement in list_statements():
                    store.execute(statement)
                store.write_stamp(0)
                for key, value in settings.items():
                    store.set_setting(key, value)
        except BaseException as error:
            store.close()
            if isinstance(error, errors.DuplicateTable | errors.UniqueViolation):
                raise taken from error  # another process was faster
            raise
        return store

    @classmethod
    def open(cls, url: GalleryUrl) -> Self:
        """Open records that are there.

        Raises:
            GalleryError: There are none, they are of another format, or the server cannot be used.
        """
        store = cls(url)
        try:
            if not store._has_tables():
                raise GalleryError(
                    f"{store.place} holds no gallery. Create one: promptreid gallery create "
                    f"{store.place} --model RUN."
                )
            version = store.fact("format")
            if version != str(FORMAT):
                raise GalleryError(
                    f"{store.place} is of format {version}; this version of promptreid reads "
                    f"format {FORMAT} in databases."
                )
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def is_there(cls, url: GalleryUrl) -> bool:
        """Tell whether there are records.

        Raises:
            GalleryError: The server cannot be used.
        """
        store = cls(url)
        try:
            return store._has_tables()
        finally:
            store.close()

    @contextlib.contextmanager
    def writing(self) -> Generator[None]:
        """Commit what is changed within it when it ends, or nothing where it raises."""
        change = "UPDATE counters SET value = value + 1 WHERE key = 'revision' RETURNING value"
        with self.locking(change) as [(revision,)]:
            self.write_stamp(int(revision))
            yield

    @contextlib.contextmanager
    def noting(self) -> Generator[None]:
        """Commit what is put within it when it ends, without a revision of its own."""
        with self.locking(HOLDING):
            yield

    def revision(self) -> int:
        """Return the number of the last transaction that wrote."""
        return self.count("revision")

    def set_setting(self, key: str, value: str) -> None:
        """Write a setting of the gallery."""
        self.set_fact(f"setting.{key}", value)

    def find_damage(self) -> list[str]:
        """Read all that is large, whose checksums the server checks, and say what it finds."""
        damage = []
        for table, column in self.list_contents():
            try:
                self.execute(f"SELECT count(md5({column})) FROM {table}")
            except GalleryError as error:
                damage.append(str(error))
        return damage

    def fact(self, key: str) -> str:
        """Return one text that the gallery keeps."""
        return self.execute("SELECT value FROM facts WHERE key = ?", key)[0][0]

    def set_fact(self, key: str, value: str) -> None:
        """Write one text that the gallery keeps."""
        self.execute(
            "INSERT INTO facts VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
            "value = excluded.value",
            key,
            value,
        )

    def count(self, key: str) -> int:
        """Return one of the gallery's numbers."""
        return self.execute("SELECT value FROM counters WHERE key = ?", key)[0][0]

    def set_count(self, key: str, value: int) -> None:
        """Write one of the gallery's numbers."""
        self.execute("UPDATE counters SET value = ? WHERE key = ?", value, key)

    def take_numbers(self, what: str, count: int) -> list[int]:
        """Return so many numbers that were never given before, ascending."""
        [(last,)] = self.execute(
            "UPDATE counters SET value = value + ? WHERE key = ? RETURNING value", count, what
        )
        return list(range(last - count + 1, last + 1))

    def require_compaction(self) -> None:
        """Remember that bytes of what is deleted may be in the store until `compact`."""
        self.set_count("compaction_due", self.revision())

    @staticmethod
    def as_bytes(column: str) -> str:
        """Return the expression for the bytes of a column of text."""
        return f"convert_to({column}, 'UTF8')"

    def among(self, column: str) -> str:
        """Return the condition that a column is in a list."""
        return f"{column} = ANY(?)"

    def to_list(self, values: Iterable[object]) -> list[object]:
        """Return values as an array."""
        return list(values)

    def write_stamp(self, revision: int) -> None:
        """Give the revision of this transaction a stamp, and forget old ones."""
        stamp = secrets.token_hex(16)
        self.execute(
            "INSERT INTO stamps VALUES (?, ?) ON CONFLICT (revision) DO UPDATE SET "
            "stamp = excluded.stamp",
            revision,
            stamp,
        )
        self.execute("DELETE FROM stamps WHERE revision <= ?", revision - STAMPS_KEPT)
        self.leave_trace(
            "SELECT stamp = ? FROM stamps WHERE revision = ? UNION ALL "
            "SELECT false FROM counters WHERE key = 'revision' AND value < ?",
            stamp,
            revision,
            revision,
        )

    def _has_tables(self) -> bool:
        tables = {row[0] for row in self.execute(_TABLES, self.schema, self.schema)}
        return {"facts", "counters", "entries"} <= tables

    def _make_extension(self) -> None:
        """Make sure that the database has pgvector.

        Raises:
            GalleryError: The server does not have it, or one that is too old, or the user may not
                make it.
        """
        version = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
        if not self.execute(version):
            try:
                self.execute("CREATE EXTENSION vector SCHEMA public")
            except Exception as error:
                raise GalleryError(
                    f"The database of {self._url.address} has no pgvector, and it cannot be made: "
                    f"{str(error).rstrip('.')}. Install it on the server and let an "
                    "administrator run: CREATE EXTENSION vector."
                ) from error
        [(found,)] = self.execute(version)
        if tuple(int(part) for part in found.split(".")[:2]) < _OLDEST_VECTOR:
            raise GalleryError(
                f"The database of {self._url.address} has pgvector {found}; 0.7 or later is needed."
            )
        self.reconnect()
