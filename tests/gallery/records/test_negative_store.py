"""The contract of negative examples: what does not show an identity."""

from dataclasses import replace

import pytest
from record_stores import MODEL, NEWER, add, begin_newer, unit
from record_stores import make_entry as entry

from promptreid.errors import GalleryError
from promptreid.gallery.records.record_rows import NewNegative, NewVector


@pytest.fixture
def people(records):
    """Anna with two entries, and Ben with one."""
    return add(records, entry(1), entry(2), entry(3, identity="ben"))


def image(records, name="anna", number=9, **changes):
    row = NewNegative(
        identity=records.identity(name).identity,
        content_hash=f"{number:064x}",
        crop=bytes([number]) * 12,
        path=f"/pictures/{number}.png",
        box="1,2,3,4",
        vector=unit(4, number),
    )
    return replace(row, **changes)


def of_entry(records, name, number, content):
    return NewNegative(records.identity(name).identity, f"{content:064x}", entry=number)


def put(records, *rows):
    with records.writing():
        return records.add_negatives(rows)


def test_an_image_is_a_negative_example(kind, place, records, people):
    [number] = put(records, image(records))
    [row] = kind.open(place).negatives()
    assert (row.negative, row.content_hash, row.entry) == (number, f"{9:064x}", None)
    assert (row.identity, row.version) == (records.identity("anna").identity, records.revision())
    assert (row.path, row.box) == ("/pictures/9.png", "1,2,3,4")
    assert row.vector.tolist() == unit(4, 9).tolist()
    picture = records.negative_picture(number)
    assert (picture.crop, picture.content_hash) == (bytes([9]) * 12, row.content_hash)
    assert (picture.path, picture.box) == (row.path, row.box)
    assert records.negative_bytes(number) == [picture.crop, row.vector.tobytes()]


def test_an_entry_is_a_negative_example_by_its_own_vector(records, people):
    [number] = put(records, of_entry(records, "anna", people[2], 3))
    [row] = records.negatives()
    assert (row.entry, row.vector.tolist()) == (people[2], unit(4, 3).tolist())
    picture = records.negative_picture(number)
    assert (picture.crop, picture.path) == (bytes([3]) * 10, "/pictures/3.png")
    assert records.negative_bytes(number) == []
    assert records.missing_vectors(MODEL.fingerprint, negatives=True) == []


def test_a_content_is_one_of_an_identity_once(records, people):
    [first] = put(records, image(records))
    assert put(records, image(records), image(records, "ben")) == [first, first + 1]
    assert len(records.negatives()) == 2


def test_a_negative_example_changes_the_version_of_its_identity(records, people):
    before = records.identity("anna").version
    [number] = put(records, image(records))
    assert records.identity("anna").version == records.revision() > before
    with records.writing():
        records.remove_negatives([number])
    assert records.identity("anna").version == records.revision()


def test_removed_negative_examples_are_gone(records, people):
    first, second = put(records, image(records), image(records, number=10))
    with records.writing():
        records.remove_negatives([first])
    assert records.is_compaction_due
    assert [row.negative for row in records.negatives()] == [second]
    assert records.negative_bytes(first) == []
    with pytest.raises(GalleryError):
        records.negative_picture(first)
    records.compact()
    [third] = put(records, image(records))
    assert third > second


def test_they_go_with_their_identity(records, people):
    [number] = put(records, image(records, "ben"))
    with records.writing():
        records.delete([people[2]])
    assert records.negatives() == []
    assert records.negative_bytes(number) == []
    assert records.find_damage() == []


def test_they_go_with_the_entry_that_they_are(records, people):
    put(records, of_entry(records, "anna", people[2], 3), image(records))
    with records.writing():
        records.delete([people[2]])
    assert [row.entry for row in records.negatives()] == [None]


def test_they_move_before_their_identity_goes(records, people):
    put(records, image(records, "ben"), image(records, "anna"), image(records, "ben", 10))
    anna, ben = (records.identity(name).identity for name in ("anna", "ben"))
    with records.writing():
        records.move_negatives(ben, anna)
        records.move([people[2]], anna)
    rows = records.negatives()
    assert {row.identity for row in rows} == {anna}
    assert sorted(row.content_hash for row in rows) == [f"{n:064x}" for n in (9, 10)]
    assert records.find_damage() == []


def test_they_have_vectors_of_every_model(records, people):
    first, second = put(records, image(records), of_entry(records, "anna", people[2], 3))
    begin_newer(records, *people)
    newer = NEWER.fingerprint
    assert records.missing_vectors(newer, negatives=True) == [first]
    assert [row.vector is None for row in records.negatives(newer)] == [True, False]
    with records.writing():
        records.put_vectors(newer, [NewVector(first, unit(3, 1))], negatives=True)
        records.put_vectors(newer, [NewVector(4711, unit(3, 1))], negatives=True)
    assert records.missing_vectors(newer, negatives=True) == []
    assert [row.vector.tolist() for row in records.negatives(newer)] == [[0, 1, 0], [1, 0, 0]]
    assert len(records.negative_bytes(first)) == 3
    with records.writing():
        records.set_model(NEWER)
        records.drop_model(MODEL.fingerprint)
    assert [row.vector.tolist() for row in records.negatives()] == [[0, 1, 0], [1, 0, 0]]
    assert second == records.negatives()[1].negative


def test_a_vector_of_another_width_is_refused(records, people):
    with pytest.raises(GalleryError, match=r"\(5,\)"):
        put(records, image(records, vector=unit(5, 0)))
    assert records.negatives() == []


def test_bytes_of_negative_examples_are_no_remains(records, people):
    crop = bytes(range(200))
    [number] = put(records, image(records, crop=crop))
    assert records.find_bytes([crop[:32]]) == []
    with records.writing():
        records.remove_negatives([number])
    assert records.find_bytes([crop[:32]]) == [crop[:32]]
    records.compact()
    assert records.find_bytes([crop[:32]]) == []
