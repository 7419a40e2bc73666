"""Tables of a gallery in PostgreSQL."""

from __future__ import annotations

FORMAT = 1
"""Version of the tables."""

COUNTERS = ("revision", "model", "entry", "identity", "negative")
"""Numbers that only go up; the row of the revision is what writers wait for."""

TABLES = """
CREATE TABLE counters (key text PRIMARY KEY, value bigint NOT NULL);
CREATE TABLE facts (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE stamps (revision bigint PRIMARY KEY, stamp text NOT NULL);
CREATE TABLE models (
    model bigint PRIMARY KEY,
    fingerprint text NOT NULL UNIQUE,
    width int NOT NULL,
    description text NOT NULL,
    text_width int,
    state text NOT NULL
);
CREATE UNIQUE INDEX model_searched ON models (state) WHERE state = 'searched';
CREATE TABLE identities (
    identity bigint PRIMARY KEY,
    name text NOT NULL UNIQUE,
    note text NOT NULL DEFAULT '',
    version bigint NOT NULL
);
CREATE TABLE entries (
    entry bigint PRIMARY KEY,
    content_hash text NOT NULL UNIQUE,
    identity bigint NOT NULL REFERENCES identities,
    camera text,
    time double precision,
    domain text NOT NULL,
    attributes text NOT NULL,
    path text,
    box text NOT NULL,
    hidden boolean NOT NULL DEFAULT false,
    version bigint NOT NULL
);
CREATE INDEX entries_by_identity ON entries (identity);
CREATE INDEX entries_by_version ON entries (version);
CREATE TABLE crops (
    entry bigint PRIMARY KEY REFERENCES entries ON DELETE CASCADE,
    content bytea NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE vectors (
    entry bigint NOT NULL REFERENCES entries ON DELETE CASCADE,
    model bigint NOT NULL REFERENCES models,
    vector bytea NOT NULL,
    searched halfvec NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (entry, model)
);
CREATE TABLE text_vectors (LIKE vectors INCLUDING ALL);
ALTER TABLE text_vectors
    ADD FOREIGN KEY (entry) REFERENCES entries ON DELETE CASCADE,
    ADD FOREIGN KEY (model) REFERENCES models;
CREATE TABLE negatives (
    negative bigint PRIMARY KEY,
    identity bigint NOT NULL REFERENCES identities ON DELETE CASCADE,
    content_hash text NOT NULL,
    entry bigint REFERENCES entries ON DELETE CASCADE,
    crop bytea,
    path text,
    box text NOT NULL,
    version bigint NOT NULL,
    UNIQUE (identity, content_hash)
);
CREATE INDEX negatives_by_entry ON negatives (entry);
CREATE TABLE negative_vectors (
    negative bigint NOT NULL REFERENCES negatives ON DELETE CASCADE,
    model bigint NOT NULL REFERENCES models,
    vector bytea NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (negative, model)
);
CREATE TABLE null_sample (
    model bigint NOT NULL REFERENCES models,
    identity bigint NOT NULL,
    entry bigint NOT NULL,
    score double precision NOT NULL,
    rival bigint NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (model, identity)
);
CREATE INDEX null_sample_by_entry ON null_sample (entry);
CREATE TABLE deleted (entry bigint PRIMARY KEY, version bigint NOT NULL);
CREATE INDEX deleted_by_version ON deleted (version);
CREATE TABLE refused (digest text PRIMARY KEY);
CREATE TABLE audit (
    number bigint PRIMARY KEY,
    time bigint NOT NULL,
    commitment text NOT NULL,
    digest text NOT NULL
);
CREATE INDEX audit_by_time ON audit (time);
CREATE TABLE audit_payloads (
    number bigint PRIMARY KEY REFERENCES audit,
    salt bytea NOT NULL,
    payload text NOT NULL,
    input_hash text,
    version bigint NOT NULL
);
CREATE INDEX audit_by_input ON audit_payloads (input_hash);
CREATE TABLE audit_entries (
    entry bigint NOT NULL,
    number bigint NOT NULL REFERENCES audit_payloads ON DELETE CASCADE,
    PRIMARY KEY (entry, number)
);
CREATE INDEX audit_entries_by_number ON audit_entries (number)
"""

REWRITTEN = (
    "identities",
    "entries",
    "crops",
    "vectors",
    "text_vectors",
    "negatives",
    "negative_vectors",
    "null_sample",
    "audit_payloads",
)
"""Tables of which rows are erased; each has a column `version`, which rewriting them computes."""

_STORED_AS = {
    "EXTERNAL": (  # never compressed, so that erased bytes could be found if they were left
        ("crops", "content"),
        ("vectors", "vector"),
        ("text_vectors", "vector"),
        ("negatives", "crop"),
        ("negative_vectors", "vector"),
        ("audit_payloads", "payload"),
    ),
    "MAIN": (("vectors", "searched"), ("text_vectors", "searched")),  # in the row: 7 x faster
}
_NOT_SAMPLED = (
    ("identities", ("name", "note")),
    ("entries", ("content_hash", "camera", "attributes", "path")),
    ("crops", ("content",)),
    ("vectors", ("vector", "searched")),
    ("text_vectors", ("vector", "searched")),
    ("negatives", ("content_hash", "crop", "path")),
    ("negative_vectors", ("vector",)),
    ("audit_payloads", ("salt", "payload", "input_hash")),
)
"""Columns of which the server keeps no examples for its planner, where they would outlive rows."""


def list_statements() -> list[str]:
    """Return what makes the tables of an empty gallery, in order."""
    storages = [
        f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE {storage}"
        for storage, columns in _STORED_AS.items()
        for table, column in columns
    ]
    samples = [
        f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0"
        for table, columns in _NOT_SAMPLED
        for column in columns
    ]
    rows = [f"INSERT INTO counters VALUES ('{key}', 0)" for key in COUNTERS]
    rows += [
        "INSERT INTO counters VALUES ('compaction_due', 0), ('audit_count', 0)",
        f"INSERT INTO facts VALUES ('format', '{FORMAT}'), ('audit_digest', '')",
    ]
    return [*filter(str.strip, TABLES.split(";\n")), *storages, *samples, *rows]
