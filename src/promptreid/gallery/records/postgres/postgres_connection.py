"""One connection to PostgreSQL: statements, transactions, and a server that goes and comes back."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Generator, Iterable, Sequence
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from promptreid.errors import GalleryError, first_line
from promptreid.gallery.gallery_errors import StoreFailedError
from promptreid.gallery.records.gallery_url import GalleryUrl
from promptreid.gallery.records.postgres.postgres_errors import (
    BUSY_SECONDS,
    is_gone,
    told_in_words,
)

PATIENCE_SECONDS = 15.0
"""How long a server that was there before is waited for."""

_PAUSE_SECONDS = 0.2
_DEFAULTS = {"connect_timeout": "10", "application_name": "promptreid", "keepalives_idle": "30"}
_READING = """
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
LOCK TABLE counters IN ACCESS SHARE MODE
"""
"""A reader holds this lock before it takes its snapshot, so that it never meets a table that was
rewritten after it, which would look empty to it."""

_WRITING = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""Who waits for a lock reads afterwards what was committed before it had it."""

HOLDING = "SELECT value FROM counters WHERE key = 'revision' FOR UPDATE"
"""Takes the row that every writer holds, and waits for who has it."""


class PostgresConnection:
    """A connection to the schema of one gallery, made anew after the server was gone.

    A transaction is on the disk when `writing` or `noting` ends. Writers hold the row of the
    revision until they commit, so that there is one at a time; readers wait for nobody but the
    rewriting of tables. Where the server goes away while it commits, what is random in the change
    is looked for when it is back.
    """

    def __init__(self, url: GalleryUrl) -> None:
        """Connect.

        Raises:
            StoreFailedError: The server cannot be reached, or does not take the user.
        """
        self._url = url
        self._is_inside = False
        """Whether a transaction is open, or was until the server went away."""
        self._trace: tuple[str, Sequence[object]] | None = None
        """What tells whether the transaction that is open was kept."""
        self._connection = self._connect(patience=0)

    @property
    def place(self) -> str:
        """The database and the gallery in it, without a password."""
        return f"{self._url.address}/{self._url.schema}"

    @property
    def schema(self) -> str:
        """Name of the gallery in its database."""
        return self._url.schema

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def reconnect(self) -> None:
        """Connect anew, which shows what was made in the database in the meantime.

        Raises:
            StoreFailedError: The server cannot be reached any more.
        """
        self._connection.close()
        self._connection = self._connect(patience=PATIENCE_SECONDS)

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows; outside of a transaction it stands for itself.

        Args:
            statement: In it `?` stands for a value, and `%b` for one that is sent as bytes.
            values: The values; without any, there may be several statements.
        """
        with told_in_words(self.place):
            return self._run(statement, values)

    def execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement for each of some rows of values."""
        with told_in_words(self.place), self._connection.cursor() as cursor:
            cursor.executemany(_translate(statement), list(rows))

    @contextlib.contextmanager
    def reading(self) -> Generator[None]:
        """Let everything that is read within it be of one moment."""
        if self._is_inside:
            yield
            return
        try:
            self.execute(_READING)
            self._is_inside = True
            yield
        finally:
            self._leave()

    @contextlib.contextmanager
    def locking(self, statement: str) -> Generator[list[tuple[Any, ...]]]:
        """Commit what is changed within it when it ends, or nothing where it raises.

        Args:
            statement: What takes the lock; its rows are given.
        """
        with told_in_words(self.place):
            try:
                self._run(_WRITING, ())
                self._is_inside, self._trace = True, None
                yield self._run(statement, ())
                self._commit()
            finally:
                self._leave()

    def leave_trace(self, question: str, *values: object) -> None:
        """Say what tells whether this transaction was kept, if the reply to its commit is lost.

        Args:
            question: Statement that gives true where something random that the transaction wrote is
                there, false where it cannot be there any more or yet, and no row otherwise.
            values: Its values.
        """
        self._trace = question, values

    def _run(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Run a statement; once more where the server had closed a connection that was idle."""
        if self._is_inside:
            return self._fetch(statement, values)
        if self._connection.closed:
            self._connection = self._connect(patience=PATIENCE_SECONDS)
        try:
            return self._fetch(statement, values)
        except psycopg.Error as error:
            if not is_gone(error):
                raise
        self.reconnect()
        return self._fetch(statement, values)

    def _fetch(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        several = not values  # several statements in one text are for those without values
        cursor = self._connection.execute(
            statement.encode() if several else _translate(statement),
            None if several else values,
            binary=not several,
        )
        return cursor.fetchall() if cursor.description else []

    def _leave(self) -> None:
        """End a transaction without keeping anything of it that was not committed."""
        self._is_inside = False
        if self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            with contextlib.suppress(psycopg.Error):  # what lost its server has nothing to undo
                self._connection.execute("ROLLBACK")

    def _commit(self) -> None:
        try:
            status = self._connection.execute("COMMIT").statusmessage
        except psycopg.Error as error:
            if not is_gone(error):
                raise
            self._find_outcome()
            return
        if status != "COMMIT":
            raise GalleryError(
                f"{self.place} has kept nothing of this change, of which a part failed."
            )

    def _find_outcome(self) -> None:
        """Look whether a server that went away during a commit has kept the change.

        Raises:
            StoreFailedError: It has not, or it is not known.
        """
        outcome: list[tuple[Any, ...]] = []
        if self._trace is not None:
            with contextlib.suppress(GalleryError, psycopg.Error):
                self.reconnect()
                self._fetch(_WRITING, ())
                self._fetch(HOLDING, ())  # the lost connection may still be committing
                outcome = self._fetch(*self._trace)
        if outcome == [(True,)]:
            return
        if outcome == [(False,)]:
            raise StoreFailedError(
                f"The server of {self.place} went away before it had kept this change. Nothing was "
                "changed; try again."
            )
        raise StoreFailedError(
            f"The server of {self.place} went away while it kept this change, so that it is not "
            "known whether it has. Look when it is back, and repeat it if need be: enrolling the "
            "same images again passes over those that are there."
        )

    def _connect(self, *, patience: float) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect, again and again for some seconds where the server is not there."""
        end = time.monotonic() + patience
        while True:
            try:
                return self._open()
            except psycopg.Error as error:
                if not is_gone(error) or time.monotonic() > end:
                    raise StoreFailedError(
                        f"The database of {self.place} cannot be opened: {first_line(error)}."
                    ) from error
            time.sleep(_PAUSE_SECONDS)

    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Open a connection whose commits are on the disk, and which sees the gallery's schema."""
        given = conninfo_to_dict(self._url.connection)
        chosen = {key: value for key, value in _DEFAULTS.items() if key not in given}
        target = make_conninfo(self._url.connection, client_encoding="utf8", **chosen)
        connection = psycopg.connect(target, autocommit=True)
        try:
            extension = connection.execute(
                "SELECT nspname FROM pg_extension JOIN pg_namespace ON extnamespace = "
                "pg_namespace.oid WHERE extname = 'vector'"
            ).fetchall()
            path = [self.schema, *(row[0] for row in extension)]
            connection.execute(
                sql.SQL("SET search_path = {}").format(
                    sql.SQL(", ").join([*map(sql.Identifier, path), sql.SQL("pg_temp")])
                )
            )
            connection.execute(
                f"SET lock_timeout = '{BUSY_SECONDS}s'; SET statement_timeout = 0; "
                "SET idle_in_transaction_session_timeout = 0"
            )
            if connection.execute("SHOW synchronous_commit").fetchone() == ("off",):
                connection.execute("SET synchronous_commit = on")
            if extension:
                register_vector(connection)
        except BaseException:
            connection.close()
            raise
        return connection


@functools.lru_cache(maxsize=512)
def _translate(statement: str) -> bytes:
    """Return a statement as the driver takes it."""
    return statement.replace("?", "%s").encode()
