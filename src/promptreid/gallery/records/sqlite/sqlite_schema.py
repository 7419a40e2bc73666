"""Tables of a gallery in SQLite, and how older files come to have them."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Generator
from pathlib import Path

from promptreid.gallery.records.sqlite.sealed_vectors import seal_bytes

FILE = "records.sqlite"
APPLICATION = 0x50524944
"""What SQLite keeps in the header of the file: "PRID"."""

BUSY_SECONDS = 60.0
"""How long a writer waits for another."""

SYNCHRONOUS = "FULL"
"""What SQLite waits for at the end of a transaction: that the disk has all of it."""

STAMPS_KEPT = 1000

_FORMAT_1 = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE models (
    model INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL UNIQUE,
    width INTEGER NOT NULL,
    description TEXT NOT NULL
);
CREATE TABLE identities (
    identity INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    note TEXT NOT NULL DEFAULT '',
    version INTEGER NOT NULL
);
CREATE TABLE entries (
    entry INTEGER PRIMARY KEY AUTOINCREMENT,
    content_hash TEXT NOT NULL UNIQUE,
    identity INTEGER NOT NULL REFERENCES identities,
    camera TEXT,
    time REAL,
    domain TEXT NOT NULL,
    attributes TEXT NOT NULL,
    path TEXT,
    box TEXT NOT NULL,
    hidden INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL
);
CREATE INDEX entries_by_identity ON entries (identity);
CREATE INDEX entries_by_version ON entries (version);
CREATE TABLE crops (
    entry INTEGER PRIMARY KEY REFERENCES entries ON DELETE CASCADE,
    content BLOB NOT NULL
);
CREATE TABLE vectors (
    entry INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE,
    model INTEGER NOT NULL REFERENCES models,
    vector BLOB NOT NULL,
    PRIMARY KEY (entry, model)
);
CREATE TABLE null_sample (
    model INTEGER NOT NULL REFERENCES models,
    identity INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    score REAL NOT NULL,
    rival INTEGER NOT NULL,
    PRIMARY KEY (model, identity)
) WITHOUT ROWID;
INSERT INTO facts VALUES ('revision', 0), ('compaction_due', 0), ('model', 0);
"""

_FORMAT_2 = """
ALTER TABLE models ADD COLUMN text_width INTEGER;
ALTER TABLE models ADD COLUMN state TEXT NOT NULL DEFAULT 'being made';
UPDATE models SET state = 'searched' WHERE model = (SELECT value FROM facts WHERE key = 'model');
CREATE UNIQUE INDEX model_searched ON models (state) WHERE state = 'searched';
DELETE FROM facts WHERE key = 'model';
CREATE TABLE text_vectors (
    entry INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE,
    model INTEGER NOT NULL REFERENCES models,
    vector BLOB NOT NULL,
    PRIMARY KEY (entry, model)
);
CREATE TABLE negatives (
    negative INTEGER PRIMARY KEY AUTOINCREMENT,
    identity INTEGER NOT NULL REFERENCES identities ON DELETE CASCADE,
    content_hash TEXT NOT NULL,
    entry INTEGER REFERENCES entries ON DELETE CASCADE,
    crop BLOB,
    path TEXT,
    box TEXT NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (identity, content_hash)
);
CREATE INDEX negatives_by_entry ON negatives (entry);
CREATE TABLE negative_vectors (
    negative INTEGER NOT NULL REFERENCES negatives ON DELETE CASCADE,
    model INTEGER NOT NULL REFERENCES models,
    vector BLOB NOT NULL,
    PRIMARY KEY (negative, model)
);
CREATE TABLE deleted (entry INTEGER PRIMARY KEY, version INTEGER NOT NULL);
CREATE INDEX deleted_by_version ON deleted (version);
CREATE TABLE refused (digest TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE stamps (revision INTEGER PRIMARY KEY, stamp TEXT NOT NULL);
INSERT INTO stamps SELECT value, lower(hex(randomblob(16))) FROM facts WHERE key = 'revision';
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    commitment TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE INDEX audit_by_time ON audit (time);
CREATE TABLE audit_payloads (
    number INTEGER PRIMARY KEY REFERENCES audit,
    salt BLOB NOT NULL,
    payload TEXT NOT NULL,
    input_hash TEXT
);
CREATE INDEX audit_by_input ON audit_payloads (input_hash);
CREATE TABLE audit_entries (
    entry INTEGER NOT NULL,
    number INTEGER NOT NULL REFERENCES audit_payloads ON DELETE CASCADE,
    PRIMARY KEY (entry, number)
) WITHOUT ROWID;
CREATE INDEX audit_entries_by_number ON audit_entries (number);
INSERT INTO facts VALUES ('audit_count', 0), ('audit_digest', '');
UPDATE vectors SET vector = seal_bytes(vector);
"""

STEPS = (_FORMAT_1, _FORMAT_2)
"""Statements that lead from each format to the next, from an empty file on."""

FORMAT = len(STEPS)
"""Version of the tables."""


def connect(file: Path) -> sqlite3.Connection:
    """Open a connection that loses nothing it has committed and leaves no deleted bytes in pages.

    Raises:
        sqlite3.Error: The file is no data base or cannot be opened.
    """
    connection = sqlite3.connect(
        file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    with closed_on_failure(connection):
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA foreign_keys = ON")
    return connection


@contextlib.contextmanager
def closed_on_failure(connection: sqlite3.Connection) -> Generator[None]:
    """Close a connection where what is done within it raises."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def make_tables(connection: sqlite3.Connection, settings: dict[str, str]) -> bool:
    """Make the tables of an empty gallery in one transaction, unless somebody else has made them.

    Returns:
        Whether they were made.
    """
    connection.execute("BEGIN IMMEDIATE")
    if read_format(connection):
        return False
    _take_steps(connection, 0)
    rows = [(f"setting.{key}", value) for key, value in settings.items()]
    connection.executemany("INSERT INTO facts VALUES (?, ?)", rows)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute("COMMIT")
    return True


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables of an older format up to date in one transaction.

    Raises:
        sqlite3.Error: The file cannot be written, or another process writes for too long; it is as
            it was then.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        _take_steps(connection, read_format(connection))  # another process may have been faster
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def read_format(connection: sqlite3.Connection) -> int:
    """Return the version of the tables of a file."""
    return connection.execute("PRAGMA user_version").fetchone()[0]


def write_stamp(connection: sqlite3.Connection) -> None:
    """Give the revision of this transaction a stamp, and forget old ones."""
    revision = "(SELECT value FROM facts WHERE key = 'revision')"
    connection.execute(
        f"INSERT OR REPLACE INTO stamps VALUES ({revision}, ?)", (secrets.token_hex(16),)
    )
    connection.execute(f"DELETE FROM stamps WHERE revision <= {revision} - {STAMPS_KEPT}")


def _take_steps(connection: sqlite3.Connection, version: int) -> None:
    connection.create_function("seal_bytes", 1, seal_bytes, deterministic=True)
    for step in STEPS[version:]:
        for statement in filter(str.strip, step.split(";\n")):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {FORMAT}")
