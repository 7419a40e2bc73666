"""One connection to a file of SQLite: statements, transactions, and turns of writers."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from promptreid.gallery.records.sqlite.sqlite_errors import told_in_words

_TURN = 0.002
"""Seconds between two attempts to write. Those of SQLite itself become rarer, up to 0.1 s, so that
who has waited long is passed by who comes later."""


class SqliteConnection:
    """A connection to the file in the folder of one gallery.

    A transaction is on the disk when `noting` ends (write-ahead log, synchronised in full).
    Several processes may use one folder; writers wait for each other, readers for nobody.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._folder = folder
        self._connection = connection

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._folder)

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
            try:
                self._connection.execute("BEGIN")
                yield
            finally:
                self._roll_back()

    @contextlib.contextmanager
    def noting(self) -> Generator[None]:
        """Commit what is put within it when it ends, without a revision of its own."""
        with told_in_words(self._folder):
            try:
                self._begin_to_write()
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _begin_to_write(self) -> None:
        """Begin a transaction once nobody else writes, within the time that SQLite is to wait."""
        [(patience,)] = self.execute("PRAGMA busy_timeout")
        end = time.monotonic() + patience / 1000
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    self._connection.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                    if not is_busy or time.monotonic() > end:
                        raise
                time.sleep(_TURN)
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {patience}")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        with told_in_words(self._folder):
            return self._connection.execute(statement, values).fetchall()

    def each(self, statement: str, *values: object) -> Iterator[tuple]:
        """Run a statement and give its rows one by one; nothing is changed until the last."""
        with told_in_words(self._folder):
            yield from self._connection.execute(statement, values)

    def execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement for each of some rows of values."""
        with told_in_words(self._folder):
            self._connection.executemany(statement, rows)
