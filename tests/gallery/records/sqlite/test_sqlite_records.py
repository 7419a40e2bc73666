"""What only the records in a folder do: durability settings, and words for damaged files."""

import contextlib
import sqlite3
import time

import numpy as np
import pytest
from facts import lacking

from promptreid.errors import GalleryError
from promptreid.gallery.gallery_errors import StoreInUseError
from promptreid.gallery.records.record_rows import ModelRow, NewEntry
from promptreid.gallery.records.sqlite import sqlite_file, sqlite_schema
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.gallery.records.sqlite.sqlite_schema import FILE, SYNCHRONOUS


@pytest.fixture
def folder(tmp_path):
    records = SqliteRecords.create(tmp_path / "store", {"aggregate": "best"})
    rng = np.random.default_rng(0)
    with records.writing():
        records.set_model(ModelRow("f" * 64, 64, {}))
        records.add(
            [
                NewEntry(
                    f"{n:064x}", f"person {n}", None, None, "", {}, rng.bytes(9000), None, "",
                    rng.normal(size=64).astype(np.float32),
                )
                for n in range(40)
            ]
        )  # fmt: skip
    records.close()
    return tmp_path / "store"


def test_commits_reach_the_disk_and_deleted_pages_are_overwritten(folder, monkeypatch):
    """As shipped: SYNCHRONOUS was read before tests began, which wait for no disk."""
    monkeypatch.setattr(sqlite_schema, "SYNCHRONOUS", SYNCHRONOUS)
    records = SqliteRecords.open(folder)
    pragmas = {name: records.execute(f"PRAGMA {name}")[0][0] for name in (
        "journal_mode", "synchronous", "secure_delete", "foreign_keys")}  # fmt: skip
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
    }
    assert folder.stat().st_mode & 0o077 == 0


def test_a_file_in_place_of_a_folder_is_not_taken(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(GalleryError):
        SqliteRecords.create(tmp_path / "file", {"aggregate": "best"})


def test_a_gallery_in_the_folder_of_another_is_not_made(folder):
    place = folder / "derived" / "second"
    with pytest.raises(GalleryError) as caught:
        SqliteRecords.create(place, {"aggregate": "best"})
    assert not lacking(str(caught.value), str(place), str(folder), str(folder.with_name("second")))
    assert not (folder / "derived").exists()


def find_damage(folder):
    """Return what opening or checking a folder says is wrong."""
    try:
        return SqliteRecords.open(folder).find_damage()
    except GalleryError as error:
        return [words for words in [str(error)] if str(folder) in words]


@pytest.mark.parametrize("seed", range(8))
def test_a_page_whose_header_is_damaged_is_found_by_opening_or_checking(folder, seed):
    content = bytearray((folder / FILE).read_bytes())
    starts = range(0, len(content), 4096)
    trees = [start for start in starts if start == 0 or content[start] in (2, 5, 10, 13)]
    rng = np.random.default_rng(seed)
    page = int(rng.choice(trees))
    content[page : page + 16] = rng.bytes(16)
    (folder / FILE).write_bytes(content)
    assert find_damage(folder)


@pytest.mark.parametrize("length", [0, 100, 4096, 50_000])
def test_a_file_that_was_cut_off_is_told_in_words(folder, length):
    content = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(content[:length])
    assert find_damage(folder)


def test_a_file_of_another_kind_or_a_later_format_is_refused(folder):
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(GalleryError, match="99"):
        SqliteRecords.open(folder)
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute("PRAGMA application_id = 1")
    with pytest.raises(GalleryError, match="no gallery"):
        SqliteRecords.open(folder)
    (folder / FILE).write_text("plain text " * 1000)
    with pytest.raises(GalleryError, match=r"no gallery|cannot be read"):
        SqliteRecords.open(folder)


@pytest.mark.parametrize("content", [b"plain text " * 1000, None])
def test_a_file_that_is_refused_is_let_go(folder, monkeypatch, content):
    """With `None` the file is cut off behind its first page."""
    whole = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(whole[:4096] if content is None else content)
    connect, opened = sqlite3.connect, []
    monkeypatch.setattr(
        sqlite3,
        "connect",
        lambda *given, **more: opened.append(connect(*given, **more)) or opened[-1],
    )
    with pytest.raises(GalleryError):
        SqliteRecords.open(folder)
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
    assert opened


def test_a_writer_that_waits_too_long_says_so(folder, monkeypatch):
    first, second = SqliteRecords.open(folder), SqliteRecords.open(folder)
    second.execute("PRAGMA busy_timeout = 50")
    with first.writing(), pytest.raises(GalleryError, match="in use"), second.writing():
        pass


def test_a_writer_that_waits_asks_as_often_after_a_long_time(folder, monkeypatch):
    """Otherwise others that come later go first, again and again."""
    first, second = SqliteRecords.open(folder), SqliteRecords.open(folder)
    pauses, ending = [], contextlib.ExitStack()
    ending.enter_context(first.writing())

    def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 100:
            ending.close()

    monkeypatch.setattr(time, "sleep", sleep)
    with second.writing():
        assert len(pauses) == 100
    assert max(pauses) < 0.005
    assert second.execute("PRAGMA busy_timeout") == [(60000,)]


@pytest.mark.parametrize("last", [False, True])
def test_rewriting_is_due_until_all_is_done_and_nobody_has_deleted(folder, monkeypatch, last):
    first, other = SqliteRecords.open(folder), SqliteRecords.open(folder)
    with first.writing():
        first.delete([1])
    checkpoint, calls = SqliteRecords._checkpoint, []

    def disturb(records):
        calls.append(records)
        if len(calls) == 4 and last:
            with other.writing():
                other.delete([2])
        if len(calls) == 2:
            raise StoreInUseError("A reader came.")
        checkpoint(records)

    with monkeypatch.context() as patched:
        patched.setattr(SqliteRecords, "_checkpoint", disturb)
        with pytest.raises(StoreInUseError, match="A reader came"):
            first.compact()
        assert first.is_compaction_due
        first.compact()
        assert first.is_compaction_due == last
    first.compact()
    assert not first.is_compaction_due


def test_of_two_that_create_one_gallery_at_once_one_is_told(tmp_path, monkeypatch):
    connect = sqlite_file.connect

    def be_late(file):
        monkeypatch.setattr(sqlite_file, "connect", connect)
        SqliteRecords.create(tmp_path / "new", {}).close()
        return connect(file)

    monkeypatch.setattr(sqlite_file, "connect", be_late)
    with pytest.raises(GalleryError, match="not empty"):
        SqliteRecords.create(tmp_path / "new", {})
    SqliteRecords.open(tmp_path / "new").close()


def test_a_log_that_a_reader_holds_keeps_the_erasure_due(folder):
    first, reader = SqliteRecords.open(folder), SqliteRecords.open(folder)
    first.execute("PRAGMA busy_timeout = 50")
    with reader.reading():
        reader.count_entries()
        with first.writing():
            first.delete([1])
        with pytest.raises(StoreInUseError) as caught:
            first.compact()
        assert not lacking(str(caught.value), "gone", "in use", "next opening", "--mend")
        assert first.is_compaction_due
    first.compact()
    assert not first.is_compaction_due
