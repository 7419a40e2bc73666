"""The file of SQLite that holds a gallery: transactions, settings, rewriting, damage."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from promptreid.errors import GalleryError
from promptreid.gallery.gallery_errors import StoreInUseError
from promptreid.gallery.records.erased_bytes import find_in_files
from promptreid.gallery.records.sqlite_errors import told_in_words
from promptreid.gallery.records.sqlite_schema import (
    APPLICATION,
    BUSY_SECONDS,
    FILE,
    FORMAT,
    connect,
    make_tables,
)

_PAUSE = 0.02
"""Seconds between two attempts to empty the log."""


class SqliteFile:
    """One connection to `FOLDER/records.sqlite`.

    A transaction is on the disk when `writing` ends (write-ahead log, synchronised in full).
    Several processes may use one folder; writers wait for each other, readers for nobody.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._folder = folder
        self._connection = connection

    @classmethod
    def create(cls, folder: Path, settings: Mapping[str, str]) -> Self:
        """Make empty records in a folder that is empty or not there.

        Raises:
            GalleryError: The folder holds something.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise GalleryError(
                f"{folder} is there and not empty. A gallery needs a folder of its own."
            )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with told_in_words(folder):
            connection = connect(folder / FILE)
            make_tables(connection, dict(settings))
        return cls(folder, connection)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the records of a folder.

        Raises:
            GalleryError: There are none, they are damaged, or of another format.
        """
        file = folder / FILE
        if not file.is_file():
            raise GalleryError(
                f"{folder} holds no gallery ({FILE} is missing). Create one: promptreid gallery "
                f"create {folder} --model RUN."
            )
        with told_in_words(folder):
            connection = connect(file)
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        if (application, version) != (APPLICATION, FORMAT):
            connection.close()
            kind = f"format {version}" if application == APPLICATION else "no gallery"
            raise GalleryError(
                f"{file} is {kind}; this version of promptreid reads format {FORMAT}."
            )
        return cls(folder, connection)

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._folder)

    @property
    def derived(self) -> Path:
        """The folder for files that can be made anew."""
        return self._folder / "derived"

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextlib.contextmanager
    def reading(self) -> Generator[None]:
        """Let everything that is read within it be of one moment."""
        with told_in_words(self._folder):
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def writing(self) -> Generator[None]:
        """Commit what is changed within it when it ends, or nothing where it raises."""
        with told_in_words(self._folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.execute(
                    "UPDATE facts SET value = value + 1 WHERE key = 'revision'"
                )
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def revision(self) -> int:
        """Return the number of the last transaction that wrote."""
        return self.fact("revision")

    def settings(self) -> dict[str, str]:
        """Return what the gallery was created with."""
        rows = self.execute("SELECT key, value FROM facts WHERE key LIKE 'setting.%'")
        return {key.removeprefix("setting."): value for key, value in rows}

    @property
    def is_compaction_due(self) -> bool:
        """Whether bytes of what was deleted may still be in the store."""
        return bool(self.fact("compaction_due"))

    def compact(self) -> None:
        """Empty the log and rewrite the file, so that nothing deleted is left in either."""
        with told_in_words(self._folder):
            self._checkpoint()
            self._connection.execute("VACUUM")
            self._connection.execute("UPDATE facts SET value = 0 WHERE key = 'compaction_due'")
            self._checkpoint()

    def find_bytes(self, pieces: Sequence[bytes]) -> list[bytes]:
        """Return those of some pieces that occur in the files of the store but in no entry."""
        in_files = find_in_files(sorted(self._folder.rglob("*")), pieces)
        return [piece for piece in in_files if not self._is_enrolled(piece)]

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
        # SQLite waits for readers and writers, but not for another process that empties the log.
        end = time.monotonic() + self.execute("PRAGMA busy_timeout")[0][0] / 1000
        while self.execute("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]:
            if time.monotonic() < end:
                time.sleep(_PAUSE)
                continue
            raise StoreInUseError(
                f"{self.place} is in use by another process, so its log cannot be emptied (waited "
                f"{BUSY_SECONDS:.0f} s). What was deleted may still stand there as bytes; close "
                f"the other process and run: promptreid gallery check {self.place} --mend."
            )

    def _is_enrolled(self, piece: bytes) -> bool:
        """Tell whether bytes belong to an entry, such as tables that all images of a kind share."""
        return any(
            self.execute(f"SELECT 1 FROM {table} WHERE instr({column}, ?) LIMIT 1", piece)
            for table, column in (("vectors", "vector"), ("crops", "content"))
        )

    def fact(self, key: str) -> int:
        """Return one number that the file keeps."""
        return self.execute("SELECT value FROM facts WHERE key = ?", key)[0][0]

    def execute(self, statement: str, *values: object) -> list[tuple]:
        """Run a statement and return its rows."""
        with told_in_words(self._folder):
            return self._connection.execute(statement, values).fetchall()

    def execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement for each of some rows of values."""
        with told_in_words(self._folder):
            self._connection.executemany(statement, rows)
