"""Who changes a gallery in a folder does so alone, and keeps the locks that SQLite has."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from facts import lacking

from promptreid.file_locks import take_lock
from promptreid.gallery.gallery_errors import StoreFailedError, StoreInUseError
from promptreid.gallery.records.record_rows import ModelRow, NewEntry
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.gallery.records.sqlite.sqlite_schema import FILE
from promptreid.gallery.records.sqlite.write_turn import TURN, taking_turn

COUNT = """
import sys
from pathlib import Path
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
records = SqliteRecords.open(Path(sys.argv[1]))
print(records.count_entries())
records.close()
"""


@pytest.fixture
def records(tmp_path):
    made = SqliteRecords.create(tmp_path / "store", {"aggregate": "best"})
    with made.writing():
        made.set_model(ModelRow("f" * 64, 8, {}))
        put(made, 1)
    yield made
    made.close()


def put(records, number):
    vector = np.ones(8, np.float32)
    records.add(
        [NewEntry(f"{number:064x}", "somebody", None, None, "", {}, None, None, "", vector)]
    )


def test_nobody_changes_anything_in_the_turn_of_another(records):
    other = SqliteRecords.open(records._folder)
    other.execute("PRAGMA busy_timeout = 10")
    with records.taking_turn():
        for change in (other.writing, other.noting, other.taking_turn):
            with pytest.raises(StoreInUseError, match="in use"), change():
                pass
        for change in (other._checkpoint, other.compact):
            with pytest.raises(StoreInUseError, match="in use"):
                change()
        assert other.count_entries() == 1  # who reads waits for nobody
    with other.writing():
        put(other, 2)
    assert records.count_entries() == 2
    other.close()


def test_all_that_changes_the_file_has_its_turn(records):
    """What is no transaction as well, such as rewriting the file."""
    changing = re.compile(r"INSERT|UPDATE|DELETE|VACUUM|PRAGMA wal_checkpoint|COMMIT")
    seen = {True: [], False: []}

    def look(statement):
        if word := changing.match(statement):
            descriptor = os.open(records._folder / TURN, os.O_RDWR)
            seen[not take_lock(descriptor)].append(word[0])
            os.close(descriptor)

    records._connection.set_trace_callback(look)
    with records.writing():
        records.set_setting("keep", "crops")
        records.delete([1])
    records.compact()
    assert set(seen[True]) == set(changing.pattern.split("|"))
    assert not seen[False]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(StoreFailedError) as caught, taking_turn(tmp_path / "none"):
        pass
    assert not lacking(str(caught.value), str(tmp_path / "none"), "written", TURN)


def test_looking_for_erased_bytes_lets_go_of_no_lock(records):
    """Who closes a file loses the locks of the whole process; another would delete the log then."""
    records.find_bytes([bytes(range(32))])
    log = records._folder / f"{FILE}-wal"
    before = log.stat().st_ino
    command = [sys.executable, "-c", COUNT, str(records._folder)]
    assert subprocess.check_output(command) == b"1\n"
    assert log.stat().st_ino == before
    with records.writing():
        put(records, 2)
    assert subprocess.check_output(command) == b"2\n"
