"""Tables of a gallery in SQLite, and how a connection to them is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

FILE = "records.sqlite"
APPLICATION = 0x50524944
"""What SQLite keeps in the header of the file: "PRID"."""

FORMAT = 1
"""Version of the tables."""

BUSY_SECONDS = 60.0
"""How long a writer waits for another."""

TABLES = """
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
"""


def connect(file: Path) -> sqlite3.Connection:
    """Open a connection that loses nothing it has committed and leaves no deleted bytes in pages.

    Raises:
        sqlite3.Error: The file is no data base or cannot be opened.
    """
    connection = sqlite3.connect(
        file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def make_tables(connection: sqlite3.Connection, settings: dict[str, str]) -> None:
    """Make the tables of an empty gallery in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in filter(str.strip, TABLES.split(";\n")):
        connection.execute(statement)
    facts: dict[str, int | str] = {"revision": 0, "compaction_due": 0, "model": 0}
    facts |= {f"setting.{key}": value for key, value in settings.items()}
    connection.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("COMMIT")
