"""The contract of records; every implementation is put through all of it."""

import json
import threading

import numpy as np
import pytest
from facts import lacking
from record_stores import MODEL, SETTINGS, add
from record_stores import make_entry as entry

from promptreid.errors import GalleryError
from promptreid.gallery.gallery_errors import NameTakenError, NotEnrolledError
from promptreid.gallery.records.record_rows import NullRow


def test_columns_hold_what_rows_hold_and_vectors_come_in_the_order_asked_for(records):
    nowhere = entry(3, "ben", camera=None, time=None, attributes={}, domain="yard")
    numbers = add(records, entry(1), entry(2, "ben"), nowhere)
    revision = records.revision()
    with records.writing():
        records.set_hidden(numbers[1:2], hidden=True)
    [columns] = records.columns()
    rows = [row for row, _ in records.entries()]
    assert columns.entries.tolist() == numbers == sorted(records.entry_numbers().tolist())
    assert columns.identities.tolist() == [row.identity for row in rows]
    assert columns.draws.tolist() == [int(row.content_hash[:16], 16) for row in rows]
    assert [*columns.cameras] == [row.camera for row in rows]
    assert [*columns.domains] == [row.domain for row in rows]
    assert [json.loads(text) for text in columns.attributes] == [row.attributes for row in rows]
    assert columns.times[:2].tolist() == [100.5, 100.5]
    assert np.isnan(columns.times[2])
    assert columns.hidden.tolist() == [False, True, False]
    assert columns.usable.all()
    [changed] = records.columns(revision)
    assert changed.entries.tolist() == numbers[1:2]
    assert list(records.columns(records.revision())) == []
    order = [numbers[2], numbers[0], 10**6]
    assert records.vectors(order).argmax(1).tolist() == [3, 1, 0]
    assert not records.vectors(order)[2].any()
    assert records.vectors([]).shape == (0, 4)


def test_what_goes_in_comes_out(records):
    [number] = add(records, entry(1))
    [(row, vector)] = records.entries()
    assert (row.entry, row.content_hash, row.hidden) == (number, f"{1:064x}", False)
    assert (row.camera, row.time, row.domain, row.box) == ("gate", 100.5, "site", "")
    assert row.attributes == {"coat": "red"}
    assert row.path == "/pictures/1.png"
    assert vector.tolist() == [0, 1, 0, 0]
    assert records.names() == {row.identity: "anna"}
    picture = records.picture(number)
    assert (picture.crop, picture.content_hash) == (bytes([1]) * 10, row.content_hash)
    assert records.stored_bytes(number) == [picture.crop, vector.tobytes()]


def test_what_is_unknown_stays_unknown(records):
    [number] = add(records, entry(1, camera=None, time=None, crop=None, path=None, attributes={}))
    [(row, _)] = records.entries()
    assert (row.camera, row.time, row.path) == (None, None, None)
    assert records.picture(number).crop is None


def test_the_same_content_is_enrolled_once(records):
    assert len(add(records, entry(1), entry(1), entry(2))) == 2
    assert add(records, entry(2, identity="ben")) == []
    assert records.count_entries() == 2
    assert records.find_known([f"{n:064x}" for n in (1, 2, 3)]) == {
        f"{1:064x}": "anna",
        f"{2:064x}": "anna",
    }
    assert records.find_entries([f"{n:064x}" for n in (2, 3, 1)]) == {
        f"{1:064x}": 1,
        f"{2:064x}": 2,
    }
    assert [row.name for row in records.identities()] == ["anna"]


def test_entries_and_identities_are_found_by_number(records):
    first, second, third = add(records, entry(1), entry(2), entry(3, identity="ben"))
    by_number = {row.entry: row for row, _ in records.entries()}
    assert records.entry_rows([third, first, 99]) == [by_number[first], by_number[third]]
    assert records.entry_rows([]) == []
    for name in ("anna", "ben"):
        row = records.identity(name)
        assert records.identity_by_number(row.identity) == row
    with pytest.raises(NotEnrolledError, match="99"):
        records.identity_by_number(99)
    assert second not in {row.entry for row in records.entry_rows([first, third])}


def test_what_raises_changes_nothing(records):
    add(records, entry(1))
    before = records.revision()

    def change_and_fail():
        with records.writing():
            records.add([entry(2, identity="ben")])
            records.set_hidden([1], hidden=True)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_and_fail()
    assert records.revision() == before
    assert records.count_entries() == 1
    assert not next(records.entries())[0].hidden


def test_a_vector_of_another_width_is_refused(records):
    with pytest.raises(GalleryError) as caught:
        add(records, entry(1), entry(2, vector=np.ones(5, np.float32)))
    assert not lacking(str(caught.value), "(5,)", "(4,)")
    assert records.count_entries() == 0


def test_nothing_is_enrolled_before_there_is_a_model(kind, tmp_path):
    fresh = kind.create(kind.new_place(tmp_path, "fresh"), SETTINGS)
    assert fresh.model() is None
    with pytest.raises(GalleryError):
        add(fresh, entry(1))


def test_settings_and_model_are_kept(kind, place, records):
    assert records.settings() == SETTINGS
    assert records.model() == MODEL
    assert kind.open(place).model() == MODEL


def test_a_revision_counts_what_was_written(records):
    first = records.revision()
    [number] = add(records, entry(1))
    assert records.revision() == first + 1
    add(records, entry(2))
    assert [row.entry for row, _ in records.entries(since=first + 1)] == [number + 1]
    with records.writing():
        records.set_hidden([number], hidden=True)
    assert [(row.entry, row.hidden) for row, _ in records.entries(since=first + 2)] == [
        (number, True)
    ]


def test_more_entries_than_are_read_at_a_time_come_in_order(records):
    numbers = add(records, *(entry(n, crop=None) for n in range(5000)))
    read = [row.entry for row, _ in records.entries()]
    assert read == numbers == sorted(numbers)
    assert len(list(records.entries(since=0))) == 5000


def test_other_connections_see_what_was_committed_and_nothing_before(kind, place, records):
    other = kind.open(place)
    with records.writing():
        records.add([entry(1)])
        assert other.count_entries() == 0
    assert other.count_entries() == 1
    assert other.revision() == records.revision()


def test_what_is_read_together_is_of_one_moment(kind, place, records):
    add(records, entry(1))
    other = kind.open(place)
    with other.reading():
        assert other.count_entries() == 1
        add(records, entry(2))
        assert other.count_entries() == 1
    assert other.count_entries() == 2


def test_writers_wait_for_each_other(kind, place):
    def write(start):
        own = kind.open(place)
        for number in range(start, start + 20):
            add(own, entry(number, identity=f"person {number % 7}"))
        own.close()

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = kind.open(place)
    assert records.count_entries() == 60
    assert len({row.version for row, _ in records.entries()}) == 60
    assert records.find_damage() == []


def test_identities_are_counted_named_and_noted(records):
    add(records, entry(1), entry(2), entry(3, identity="ben"))
    with records.writing():
        records.set_hidden([2], hidden=True)
    anna = records.identity("anna")
    assert (anna.entries, anna.hidden) == (2, 1)
    with records.writing():
        records.rename(anna.identity, "Anna B.")
        records.set_note(anna.identity, "seen twice")
    renamed = records.identity("Anna B.")
    assert (renamed.identity, renamed.note) == (anna.identity, "seen twice")
    assert renamed.version == records.revision() > anna.version
    with pytest.raises(NotEnrolledError) as caught:
        records.identity("Ana B.")
    assert not lacking(str(caught.value), "Ana B.", "Anna B.")


def test_identities_come_in_pages_and_one_by_one(records):
    add(records, *(entry(n, f"person {n % 5}") for n in range(12)))
    everybody = records.identities()
    assert (len(everybody), records.count_identities()) == (5, 5)
    assert records.identities(limit=2) == everybody[:2]
    assert records.identities(everybody[1].identity, 2) == everybody[2:4]
    assert records.identities(everybody[4].identity) == []
    numbers = [everybody[3].identity, 999, everybody[0].identity]
    assert records.identity_rows(numbers) == [everybody[0], everybody[3]]
    with records.writing():
        records.set_note(everybody[2].identity, "seen twice")
    assert records.notes() == {everybody[2].identity: "seen twice"}


def test_two_identities_have_two_names(records):
    add(records, entry(1), entry(2, identity="ben"))
    anna = records.identity("anna").identity
    for change in (lambda: records.make_identity("ben"), lambda: records.rename(anna, "ben")):
        with pytest.raises(NameTakenError) as caught, records.writing():
            change()
        assert not lacking(str(caught.value), "ben", "merge")


def test_entries_move_and_empty_identities_go(records):
    first, second, third = add(records, entry(1), entry(2), entry(3, identity="ben"))
    ben = records.identity("ben").identity
    with records.writing():
        records.move([first], ben)
    assert records.entries_by_identity(ben) == [first, third]
    with records.writing():
        records.move([second], ben)
    assert records.names() == {ben: "ben"}
    with records.writing():
        carla = records.make_identity("carla")
        records.move([second], carla)
    assert records.entries_by_identity(carla) == [second]


def test_hiding_can_be_undone(records):
    [number] = add(records, entry(1))
    for hidden in (True, False):
        with records.writing():
            records.set_hidden([number], hidden=hidden)
        assert next(records.entries())[0].hidden is hidden


def test_what_is_deleted_is_gone_with_all_that_belongs_to_it(records):
    first, second = add(records, entry(1), entry(2, identity="ben"))
    ben = records.identity("ben").identity
    with records.writing():
        records.put_null_rows([NullRow(ben, second, 0.5, 1)], [])
    assert not records.is_compaction_due
    with records.writing():
        records.delete([second])
    assert records.is_compaction_due
    assert [row.entry for row, _ in records.entries()] == [first]
    assert list(records.names().values()) == ["anna"]
    assert records.null_rows() == []
    assert records.stored_bytes(second) == []
    with pytest.raises(GalleryError):
        records.picture(second)
    records.compact()
    assert not records.is_compaction_due
    assert records.find_damage() == []


def test_numbers_are_never_used_again(kind, place, records):
    first, second = add(records, entry(1), entry(2))
    with records.writing():
        records.delete([first, second])
    records.compact()
    [third] = add(kind.open(place), entry(1))
    assert third > second


def test_bytes_of_entries_are_no_remains_and_those_of_the_deleted_are(records):
    kept, gone = (bytes(np.random.default_rng(n).integers(0, 256, 400, np.uint8)) for n in (1, 2))
    _, second = add(records, entry(1, crop=kept), entry(2, crop=gone))
    assert records.find_bytes([kept[:32], gone[:32]]) == []
    with records.writing():
        records.delete([second])
    assert records.find_bytes([kept[:32], gone[:32]]) == [gone[:32]]  # still in the log
    records.compact()
    assert records.find_bytes([kept[:32], gone[:32]]) == []


def test_the_null_sample_is_kept_row_by_row(records):
    add(records, entry(1), entry(2, identity="ben"))
    with records.writing():
        records.put_null_rows([NullRow(1, 1, 0.25, 2), NullRow(2, 2, 0.5, 1)], [])
    with records.writing():
        records.put_null_rows([NullRow(1, 1, 0.75, 2)], [2])
    assert records.null_rows() == [NullRow(1, 1, 0.75, 2)]


def test_a_place_that_holds_something_is_not_taken(kind, place):
    with pytest.raises(GalleryError, match="empty"):
        kind.create(place, SETTINGS)


def test_a_place_without_records_says_how_to_make_some(kind, tmp_path):
    with pytest.raises(GalleryError) as caught:
        kind.open(kind.new_place(tmp_path, "nothing"))
    assert not lacking(str(caught.value), "nothing", "gallery create")


def test_settings_can_be_written_later(kind, place, records):
    with records.writing():
        records.set_setting("rate", "0.01")
        records.set_setting("audit", "on")
    assert kind.open(place).settings() == SETTINGS | {"rate": "0.01", "audit": "on"}


def test_stamps_tell_transactions_apart(kind, place, records):
    first = records.revision()
    before = records.stamp()
    add(records, entry(1))
    assert records.stamp(first) == before
    assert records.stamp() == records.stamp(first + 1) != before
    assert kind.open(place).stamp() == records.stamp()
    assert records.stamp(first + 2) is None


@pytest.mark.slow
def test_stamps_of_long_ago_are_forgotten(records):
    first = records.revision()
    for _ in range(1001):
        with records.writing():
            pass
    assert records.stamp(first) is None
    assert records.stamp(first + 2)


def test_deleted_numbers_are_known_by_revision(records):
    numbers = add(records, *(entry(n) for n in range(4)))
    first = records.revision()
    for number in (numbers[2], numbers[0]):
        with records.writing():
            records.delete([number])
    assert records.deleted() == [numbers[0], numbers[2]]
    assert records.deleted(first) == [numbers[0], numbers[2]]
    assert records.deleted(first + 1) == [numbers[0]]
    assert records.deleted(first + 2) == []


def test_refused_contents_are_remembered_until_they_are_allowed(kind, place, records):
    with records.writing():
        records.refuse(["aa", "bb", "bb"])
    assert kind.open(place).refused() == {"aa", "bb"}
    assert records.refused(["bb", "cc"]) == {"bb"}
    assert records.refused([]) == set()
    with records.writing():
        records.allow(["bb", "never refused"])
    assert records.refused() == {"aa"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vector": np.full(4, np.nan, np.float32)}, "cannot keep"),
        ({"vector": np.full(4, np.inf, np.float32)}, "cannot keep"),
        ({"time": float("nan")}, "no time"),
        ({"time": 1e15}, "no time"),
        ({"time": -1e11}, "no time"),  # before the first year of calendars
        ({"identity": "a\0b"}, "cannot keep"),
        ({"identity": "\udc80"}, "cannot keep"),
    ],
)
def test_what_no_store_can_keep_is_refused_in_words(records, change, words):
    with pytest.raises(GalleryError, match=words):
        add(records, entry(1, **change))
    assert records.count_entries() == 0
    assert len(add(records, entry(1))) == 1


def test_names_may_hold_anything(kind, place, records):
    names = ["O'Neil", 'Zoë "Z"', "漢字", "a\nb", "%_", "; DROP TABLE entries"]
    add(records, *(entry(n, identity=name) for n, name in enumerate(names)))
    assert sorted(kind.open(place).names().values()) == sorted(names)
    for name in names:
        assert records.identity(name).entries == 1


def test_what_is_done_to_nothing_does_nothing(records):
    add(records, entry(1))
    with records.writing():
        assert records.add([]) == []
        records.set_hidden([], hidden=True)
        assert records.delete([]) == []
        records.put_null_rows([], [])
    assert records.count_entries() == 1
    assert records.find_known([]) == {}


def test_a_name_that_is_no_unicode_is_refused_in_a_sentence(records):
    add(records, entry(1))
    number, name = records.identity("anna").identity, "anna\udcff"
    for ask in (records.identity, lambda name: records.rename(number, name)):
        with pytest.raises(GalleryError) as caught, records.writing():
            ask(name)
        assert not lacking(str(caught.value), r"anna\udcff", "no Unicode")
    assert records.names() == {number: "anna"}
