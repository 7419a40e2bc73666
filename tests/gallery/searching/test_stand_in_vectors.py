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
    """Return a table of entries of one identity each."""
    table = EntryTable()
    table.fingerprint = fingerprint
    table._entries.extend(np.array(entries, np.int64))
    table._draws.extend(np.array(draws, np.uint64))
    add_identities(table, range(len(draws)))
    return table


def add_identities(table, codes):
    table._codes.extend(np.array(codes, np.int32))
    table.identity_numbers = list(range(100, 101 + max(table.codes)))


def check(kept, table, index, rows):
    """Compare what is given for some rows with what the index gives; return what it read."""
    rows, before = np.array(rows, np.int64), index.read
    given = {}
    for codes, vectors in kept.read(table, index, rows):
        given |= dict(zip(codes.tolist(), vectors, strict=True))
    for row in rows.tolist():
        right = table.draws[row] * np.arange(1, WIDTH + 1)
        np.testing.assert_array_equal(given[int(table.codes[row])], right)
    return index.read - before


def test_what_stays_is_read_once():
    table = fill_table(range(1, 9), range(11, 19))
    index, kept = ServerIndex(table), StandInVectors()
    assert check(kept, table, index, [6, 0, 3]) == 3 + 1  # one tells how long a vector is
    assert check(kept, table, index, [0, 3, 6]) == 0
    assert check(kept, table, index, [3, 7, 0, 1]) == 2
    assert check(kept, table, index, [1, 0, 3]) == 0


def test_another_image_of_an_identity_takes_the_place_of_the_one_before():
    table = fill_table(range(1, 4), range(11, 14))
    index, kept = ServerIndex(table), StandInVectors()
    check(kept, table, index, [0, 1, 2])
    table._entries.extend(np.array([7, 8]))
    table._draws.extend(np.array([17, 18], np.uint64))
    add_identities(table, [1, 3])  # and an identity that is new
    assert check(kept, table, index, [0, 3, 2, 4]) == 2 + 1
    assert check(kept, table, index, [0, 1, 2, 4]) == 1


@pytest.mark.parametrize("change", ["content", "model", "fewer identities"])
def test_what_has_its_number_now_is_not_taken_for_it(change):
    table = fill_table([1, 2, 3], [11, 12, 13])
    index, kept = ServerIndex(table), StandInVectors()
    check(kept, table, index, [0, 1, 2])
    if change == "content":
        other, rows, expected = fill_table([1, 2, 3], [11, 99, 13]), [0, 1, 2], 1
    elif change == "model":
        other, rows, expected = fill_table([1, 2, 3], [11, 12, 13], "g"), [0, 1, 2], 3 + 1
    else:
        other, rows, expected = fill_table([2, 3], [12, 13]), [0, 1], 2 + 1
    assert check(kept, other, ServerIndex(other), rows) == expected


def test_too_many_are_read_each_time(monkeypatch):
    monkeypatch.setattr(stand_in_vectors, "_MOST_BYTES", 3 * WIDTH * 4)
    table = fill_table(range(1, 4), range(11, 14))
    index, kept = ServerIndex(table), StandInVectors()
    check(kept, table, index, [0, 1, 2])
    assert check(kept, table, index, [0, 1, 2]) == 0
    table = fill_table(range(1, 5), range(11, 15))
    for _ in range(2):
        assert check(kept, table, ServerIndex(table), [0, 1, 2]) == 3 + 1


def test_an_index_that_has_them_at_hand_gives_them():
    table = fill_table(range(1, 9), range(11, 19))
    index, kept = ServerIndex(table), StandInVectors()
    index.kind = "exact"
    for _ in range(2):
        assert check(kept, table, index, [0, 1]) == 2
