"""What every test of a command holds: nothing stays open when the command has ended."""

from pathlib import Path

import pytest

from promptreid.gallery.records.sqlite.sqlite_schema import FILE

OPENED = Path("/proc/self/fd")


def list_open_records():
    """Return the files of galleries that this process has open, by their descriptor."""
    opened = {}
    for link in OPENED.iterdir() if OPENED.is_dir() else ():
        try:
            opened[link.name] = str(link.readlink())
        except OSError:  # that of the list itself
            continue
    return {number: path for number, path in opened.items() if FILE in path}


@pytest.fixture(autouse=True)
def _commands_close_galleries():
    before = list_open_records()
    yield
    left = list_open_records()
    assert {number: path for number, path in left.items() if before.get(number) != path} == {}
