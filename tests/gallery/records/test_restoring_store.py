"""The contract of becoming a copy: rows are written as they were, and numbers go on from there."""

import pytest
from record_stores import MODEL, SETTINGS, add, unit
from record_stores import make_entry as entry

from promptreid.gallery.records.record_rows import (
    Counters,
    EntryRow,
    IdentityRow,
    NegativeRow,
    NewNegative,
    NewVector,
)

ENTRIES = [
    (EntryRow(7, f"{7:064x}", 4, "gate", 1.25, "site", {"a": "é"}, None, "", True, 3), b"crop"),
    (EntryRow(9, f"{9:064x}", 5, None, None, "", {}, "/p.png", "1,2,3,4", False, 8), None),
]
IDENTITIES = [IdentityRow(4, "anna", "a note", 6, 1, 1), IdentityRow(5, "ben", "", 2, 1, 0)]
NEGATIVE = NegativeRow(3, 4, f"{2:064x}", None, "/n.png", "5,6,7,8", 7, None)
COUNTERS = Counters(revision=40, entry=12, identity=6, negative=4)


@pytest.fixture
def restored(kind, tmp_path):
    """A place that rows of elsewhere were written to."""
    place = kind.new_place(tmp_path, "restored")
    records = kind.create(place, SETTINGS)
    with records.writing():
        records.begin_model(MODEL)
        records.restore_identities(IDENTITIES)
        records.restore_entries(ENTRIES)
        records.restore_negatives([(NEGATIVE, b"negative")])
        records.put_vectors(MODEL.fingerprint, [NewVector(7, unit(4, 1)), NewVector(9, unit(4, 2))])
        records.put_vectors(MODEL.fingerprint, [NewVector(3, unit(4, 3))], negatives=True)
        records.set_model(MODEL)
        records.restore_counters(COUNTERS)
    records.close()
    return place


@pytest.fixture
def copy(kind, restored):
    """Records of that place."""
    opened = kind.open(restored)
    yield opened
    opened.close()


def test_rows_are_as_they_were(copy):
    assert [row for row, _ in copy.entries()] == [row for row, _ in ENTRIES]
    assert [vector.tolist() for _, vector in copy.entries()] == [
        unit(4, n).tolist() for n in (1, 2)
    ]
    assert copy.identities() == IDENTITIES
    assert [copy.picture(n).crop for n in (7, 9)] == [b"crop", None]
    assert copy.find_damage() == []


def test_negative_examples_are_as_they_were(copy):
    [row] = copy.negatives()
    assert (row.negative, row.identity, row.content_hash) == (3, 4, NEGATIVE.content_hash)
    assert (row.path, row.box, row.version) == ("/n.png", "5,6,7,8", 7)
    assert row.vector.tolist() == unit(4, 3).tolist()
    assert copy.negative_picture(3).crop == b"negative"


def test_numbers_and_revisions_go_on_from_there(copy):
    assert copy.counters() == COUNTERS
    assert copy.revision() == 40
    assert copy.stamp()
    [number] = add(copy, entry(20, identity="carla"))
    assert number == 13
    assert copy.identity("carla").identity > 6
    assert copy.revision() == 41
    with copy.writing():
        [negative] = copy.add_negatives([NewNegative(4, f"{21:064x}", vector=unit(4, 0))])
    assert negative == 5
    assert [row.entry for row, _ in copy.entries(since=40)] == [13]


def test_counters_never_go_down(copy):
    with copy.writing():
        copy.restore_counters(Counters(0, 0, 0, 0))
    assert copy.counters() == Counters(41, 12, 6, 4)


def test_counters_of_an_empty_store_count_nothing(kind, tmp_path):
    fresh = kind.create(kind.new_place(tmp_path, "fresh"), SETTINGS)
    assert fresh.counters() == Counters(fresh.revision(), 0, 0, 0)
    fresh.close()


def test_counters_outlast_what_was_deleted(records):
    numbers = add(records, entry(1), entry(2, identity="ben"))
    with records.writing():
        records.delete(numbers)
    records.compact()
    counters = records.counters()
    assert counters.entry == max(numbers)
    assert counters.identity >= 2
