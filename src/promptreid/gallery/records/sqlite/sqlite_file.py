"""The file of SQLite that holds a gallery: made, opened, its settings, rewriting, damage."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from promptreid.errors import GalleryError
from promptreid.files import full_path
from promptreid.gallery.gallery_errors import StoreFailedError, StoreInUseError
from promptreid.gallery.records.erased_bytes import find_in_files
from promptreid.gallery.records.sql.sql_store import SqlStore, keeping_rewriting_due
from promptreid.gallery.records.sqlite.acknowledged_revision import (
    NOTE,
    note_revision,
    read_noted_revision,
)
from promptreid.gallery.records.sqlite.sqlite_connection import SqliteConnection
from promptreid.gallery.records.sqlite.sqlite_errors import tell_damage, told_in_words
from promptreid.gallery.records.sqlite.sqlite_schema import (
    APPLICATION,
    BUSY_SECONDS,
    FILE,
    FORMAT,
    closed_on_failure,
    connect,
    make_tables,
    migrate,
    read_format,
    write_stamp,
)
from promptreid.gallery.records.sqlite.write_turn import taking_turn

NUMBERED = {
    "model": "models",
    "identity": "identities",
    "entry": "entries",
    "negative": "negatives",
}
"""Tables whose rows have numbers that are never used again."""

_PAUSE = 0.02
"""Seconds between two attempts to empty the log."""


class SqliteFile(SqliteConnection, SqlStore):
    """One connection to the records in a folder."""

    @classmethod
    def create(cls, folder: Path, settings: Mapping[str, str]) -> Self:
        """Make empty records in a folder that is empty or not there.

        What is left of a creation that was stopped is no obstacle.

        Raises:
            GalleryError: The folder holds something, or lies in that of another gallery.
        """
        for above in full_path(folder).parents:
            if (above / FILE).is_file():  # whose erasures look into all that is in its folder
                raise GalleryError(
                    f"{folder} lies in the gallery {above}. A gallery needs a folder outside of "
                    f"others, such as {above.with_name(folder.name)}."
                )
        taken = GalleryError(
            f"{folder} is there and not empty. A gallery needs a folder of its own."
        )
        is_taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
        if is_taken and not cls._is_left_over(folder):
            raise taken
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with told_in_words(folder):
            connection = connect(folder / FILE)
            with closed_on_failure(connection), taking_turn(folder):
                if not make_tables(connection, dict(settings)):  # another process was faster
                    raise taken
        return cls(folder, connection)

    @classmethod
    def is_there(cls, folder: Path) -> bool:
        """Tell whether a folder holds records, be they damaged or of another format."""
        return (folder / FILE).is_file() and not cls._is_left_over(folder)

    @classmethod
    def _is_left_over(cls, folder: Path) -> bool:
        """Tell whether a folder holds nothing but a file of SQLite without a table."""
        if not folder.is_dir() or any(not path.name.startswith(FILE) for path in folder.iterdir()):
            return False
        with contextlib.closing(sqlite3.connect(folder / FILE)) as connection:
            try:
                tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            except sqlite3.DatabaseError:  # damaged, or no file of SQLite
                return False
        return tables == 0

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the records of a folder; those of an older format are brought up to date.

        Raises:
            GalleryError: There are none, they are damaged, or of a later format.
        """
        file = folder / FILE
        if not file.is_file():
            taken = folder.is_dir() and any(folder.iterdir())  # such as a folder of photographs
            free = folder.with_name(f"{folder.name}.gallery") if taken else folder
            raise GalleryError(
                f"{folder} holds no gallery ({FILE} is missing). Create one: promptreid gallery "
                f"create {free} --model RUN."
            )
        noted = read_noted_revision(folder)  # first, since others may be writing
        with told_in_words(folder):
            connection = connect(file)
        with closed_on_failure(connection), told_in_words(folder):
            cls._bring_up_to_date(connection, file)
            records = cls(folder, connection)
            revision = records.revision()
            if revision < noted:
                raise StoreFailedError(
                    f"{folder} was acknowledged up to change {noted:,}, but what is in it ends at "
                    f"change {revision:,}: its log {FILE}-wal is damaged, cut off or missing, or "
                    f"{FILE} is an older one. Take all files from a backup. To go on with what is "
                    f"left, delete {folder / NOTE}."
                )
        return records

    @staticmethod
    def _bring_up_to_date(connection: sqlite3.Connection, file: Path) -> None:
        """Write records of an older format in this one, and refuse those of another kind."""
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = read_format(connection)
        if application == APPLICATION and 0 < version < FORMAT:
            with taking_turn(file.parent):
                migrate(connection)
        elif (application, version) != (APPLICATION, FORMAT):
            kind = f"format {version}" if application == APPLICATION else "no gallery"
            raise GalleryError(
                f"{file} is {kind}; this version of promptreid reads formats 1 to {FORMAT}."
            )

    @property
    def derived(self) -> Path:
        """The folder for files that can be made anew."""
        return self._folder / "derived"

    @contextlib.contextmanager
    def writing(self) -> Generator[None]:
        """Commit what is changed within it when it ends, or nothing where it raises."""
        with self.noting():
            self._connection.execute("UPDATE facts SET value = value + 1 WHERE key = 'revision'")
            write_stamp(self._connection)
            yield
            revision = self.revision()
        note_revision(self._folder, revision)

    def revision(self) -> int:
        """Return the number of the last transaction that wrote."""
        return self.fact("revision")

    def set_setting(self, key: str, value: str) -> None:
        """Write a setting of the gallery."""
        self.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", f"setting.{key}", value)

    @property
    def is_compaction_due(self) -> bool:
        """Whether bytes of what was deleted may still be in the store."""
        return bool(self.fact("compaction_due"))

    def compact(self) -> None:
        """Empty the log and rewrite the file, so that nothing deleted is left in either."""
        with keeping_rewriting_due(self.place), told_in_words(self._folder):
            due = self.fact("compaction_due")
            self._checkpoint()
            with self.taking_turn():
                self._connection.execute("VACUUM")
            self._checkpoint()
            with self.noting():
                self._connection.execute(
                    "UPDATE facts SET value = 0 WHERE key = 'compaction_due' AND value = ?", (due,)
                )

    def find_bytes(self, pieces: Sequence[bytes]) -> list[bytes]:
        """Return those of some pieces that occur in the files of the store but in no record."""
        in_files = find_in_files(sorted(self._folder.rglob("*")), pieces)
        return [piece for piece in in_files if not self._is_enrolled(piece)]

    @property
    def searched_place(self) -> str:
        """Where `find_bytes` looks, in words."""
        return f"any file of {self.place}"

    def find_damage(self) -> list[str]:
        """Say what SQLite itself finds damaged."""
        with told_in_words(self._folder):
            found = [row[0] for row in self.execute("PRAGMA integrity_check")]
            orphans = self.execute("PRAGMA foreign_key_check")
        damage = [f"SQLite says of {FILE}: {line}." for line in found if line != "ok"]
        if orphans:
            damage.append(f"{len(orphans):,} rows of {FILE} belong to rows that are not there.")
        return damage

    def _checkpoint(self) -> None:
        """Empty the log into the file, once no reader needs it."""
        end = time.monotonic() + self.execute("PRAGMA busy_timeout")[0][0] / 1000
        with self.taking_turn():
            # SQLite waits for readers, but not for a process that empties the log as it ends.
            while self.execute("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]:
                if time.monotonic() < end:
                    time.sleep(_PAUSE)
                    continue
                raise StoreInUseError(
                    f"{self.place} is in use by another process, so its log cannot be emptied "
                    f"(waited {BUSY_SECONDS:.0f} s)."
                )

    def _is_enrolled(self, piece: bytes) -> bool:
        """Tell whether bytes belong to a record, such as tables that all images of a kind share."""
        return any(
            self.execute(f"SELECT 1 FROM {table} WHERE instr({column}, ?) LIMIT 1", piece)
            for table, column in self.list_contents()
        )

    def fact(self, key: str) -> Any:
        """Return one number or text that the file keeps."""
        rows = self.execute("SELECT value FROM facts WHERE key = ?", key)
        if not rows:
            raise tell_damage(self.place, f"the fact {key!r} is missing")
        return rows[0][0]

    def require_compaction(self) -> None:
        """Remember that bytes of what is deleted may be in the store until `compact`."""
        self.execute("UPDATE facts SET value = ? WHERE key = 'compaction_due'", self.revision())

    def take_numbers(self, what: str, count: int) -> list[int]:
        """Return numbers that were never given before, which SQLite knows once they are used."""
        rows = self.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", NUMBERED[what])
        last = rows[0][0] if rows else 0
        return list(range(last + 1, last + count + 1))

    @staticmethod
    def as_bytes(column: str) -> str:
        """Return the expression for the bytes of a column of text."""
        return f"CAST({column} AS BLOB)"

    def among(self, column: str) -> str:
        """Return the condition that a column is in a list."""
        return f"{column} IN (SELECT value FROM json_each(?))"

    def to_list(self, values: Iterable[object]) -> str:
        """Return values as JSON."""
        return json.dumps(list(values))
