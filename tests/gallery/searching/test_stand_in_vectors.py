"""Vectors of those who stand for an identity are read once, and never taken for others."""

import numpy as np
import pytest

from promptreid.gallery.searching import stand_in_vectors
from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.stand_in_vectors import StandInVectors

WIDTH = 4


class ServerIndex:
    """An index that counts what it reads from its server."""

    kind = "pgvector"

    def __init__(self, table):
        self.table, self.read = table, 0

    def vectors(self, rows):
        """Return vectors that follow from the content."""
        self.read += len(rows)
        return np.outer(self.table.draws[rows], np.arange(1, WIDTH + 1)).astype(np.float32)


def fill_table(entries, draws, fingerprint="f"):
    table = EntryTable()
    table.fingerprint = fingerprint
    table._entries.extend(np.array(entries, np.int64))
    table._draws.extend(np.array(draws, np.uint64))
    return table


def check(kept, table, index, rows):
    rows = np.array(rows, np.int64)
    kept.follow(table, index, rows)
    before = index.read
    for part in (rows, rows[::-1][:2]):
        right = np.outer(table.draws[part], np.arange(1, WIDTH + 1))
        np.testing.assert_array_equal(kept.read(table, index, part), right)
    return before


def test_what_stays_is_read_once(monkeypatch):
    table = fill_table(range(1, 9), range(11, 19))
    index, kept = ServerIndex(table), StandInVectors()
    assert check(kept, table, index, [6, 0, 3]) == 3
    assert check(kept, table, index, [0, 3, 6]) == 3
    assert check(kept, table, index, [3, 7, 0, 1]) == 5  # two are new
    assert check(kept, table, index, [1, 0, 3]) == 5
    assert check(kept, table, index, [6]) == 6  # those that were not wanted are gone
    assert index.read == 6


@pytest.mark.parametrize("change", ["content", "model"])
def test_what_has_its_number_now_is_not_taken_for_it(change):
    table = fill_table([1, 2, 3], [11, 12, 13])
    index, kept = ServerIndex(table), StandInVectors()
    check(kept, table, index, [0, 1, 2])
    if change == "content":
        other, expected = fill_table([1, 2, 3], [11, 99, 13]), 1
    else:
        other, expected = fill_table([1, 2, 3], [11, 12, 13], "g"), 3
    assert check(kept, other, again := ServerIndex(other), [0, 1, 2]) == expected
    assert again.read == expected


def test_too_many_are_read_each_time(monkeypatch):
    monkeypatch.setattr(stand_in_vectors, "_MOST_BYTES", 3 * WIDTH * 4)
    table = fill_table(range(1, 9), range(11, 19))
    index, kept = ServerIndex(table), StandInVectors()
    check(kept, table, index, [0, 1, 2])
    assert index.read == 3
    check(kept, table, index, [0, 1, 2, 3])
    assert index.read == 3 + 1 + 4 + 2  # one that is new tells how long it is


def test_an_index_that_has_them_at_hand_gives_them():
    table = fill_table(range(1, 9), range(11, 19))
    index, kept = ServerIndex(table), StandInVectors()
    index.kind = "exact"
    check(kept, table, index, [0, 1])
    assert index.read == 4
