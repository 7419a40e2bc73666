"""A gallery of an older format is brought up to date when it is opened."""

import sqlite3
from pathlib import Path

import pytest
from gallery_model import PixelModel

from promptreid.errors import GalleryError
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.records.record_rows import SEARCHED
from promptreid.gallery.records.sqlite import sqlite_schema
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.gallery.records.sqlite.sqlite_schema import APPLICATION, FILE, FORMAT

FORMAT_1 = Path(__file__).with_name("format_1.sql")
"""What the first format wrote: five people, of whom one is hidden and one was erased."""


@pytest.fixture
def folder(tmp_path):
    """A folder with a file of format 1."""
    where = tmp_path / "old"
    where.mkdir()
    connection = sqlite3.connect(where / FILE)
    connection.executescript(FORMAT_1.read_text(encoding="utf-8"))
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    return where


def schema(folder):
    with sqlite3.connect(folder / FILE) as connection:
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        facts = {row[0] for row in connection.execute("SELECT key FROM facts")}
    connection.close()
    return sorted(rows, key=str), facts


def test_nothing_is_lost_on_the_way(folder):
    with sqlite3.connect(folder / FILE) as connection:
        vectors = dict(connection.execute("SELECT entry, vector FROM vectors"))
        null = connection.execute(
            "SELECT identity, entry, score, rival FROM null_sample"
        ).fetchall()
    connection.close()
    records = SqliteRecords.open(folder)
    assert {row.name: (row.entries, row.hidden) for row in records.identities()} == {
        "anna": (2, 0), "ben": (2, 0), "carla": (1, 1), "dora": (1, 0)
    }  # fmt: skip
    assert records.identity("anna").note == "seen twice"
    assert {row.entry: vector.tobytes() for row, vector in records.entries()} == vectors
    assert [row.attributes for row, _ in records.entries()] == [{"coat": "red"}] * 6
    assert [tuple(vars(row).values()) for row in records.null_rows()] == null
    [stored] = records.models()
    assert (stored.state, stored.entries, stored.model.text_width) == (SEARCHED, 6, None)
    assert stored.model.description == {"source": "runs/old"}
    assert records.settings() == {"aggregate": "best", "keep": "crops", "rate": "0.2"}
    assert records.revision() == 5
    assert records.stamp()
    assert records.counters().entry == 7
    assert Gallery(records).check() == []


def test_the_tables_are_those_of_a_new_gallery(folder, tmp_path):
    SqliteRecords.open(folder).close()
    settings = {"aggregate": "best", "keep": "crops", "rate": "0.2"}
    SqliteRecords.create(tmp_path / "new", settings).close()
    assert schema(folder) == schema(tmp_path / "new")
    assert SqliteRecords.open(folder).execute("PRAGMA user_version") == [(FORMAT,)]


def test_it_can_be_used_like_a_new_one(folder):
    gallery = Gallery(SqliteRecords.open(folder))
    gallery.unhide("carla")
    gallery.merge("ben", "anna")
    gallery.erase("dora")
    assert gallery.check() == []
    with pytest.raises(GalleryError, match="two models"):
        Gallery(SqliteRecords.open(folder), PixelModel())


def test_what_is_stopped_half_way_leaves_the_old_format(folder, monkeypatch):
    before = (folder / FILE).read_bytes()
    broken = (sqlite_schema.STEPS[0], sqlite_schema.STEPS[1] + "SELECT no_such_thing;\n")
    with monkeypatch.context() as patched:
        patched.setattr(sqlite_schema, "STEPS", broken)
        with pytest.raises(GalleryError):
            SqliteRecords.open(folder)
    with sqlite3.connect(folder / FILE) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "audit" not in tables
    assert len(before)
    assert SqliteRecords.open(folder).count_entries() == 6
