"""One connection to a file of SQLite: statements, transactions, and turns of writers."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from promptreid.gallery.records.sqlite.sqlite_errors import told_in_words
from promptreid.gallery.records.sqlite.write_turn import taking_turn


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
        with told_in_words(self._folder), self.taking_turn():
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    @contextlib.contextmanager
    def taking_turn(self) -> Generator[None]:
        """Let nobody else change anything meanwhile, once it is the turn of this connection."""
        [(patience,)] = self.execute("PRAGMA busy_timeout")
        with taking_turn(self._folder, patience / 1000):
            yield

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
