"""Records are copied whole, from every store to every store, or not at all."""

import numpy as np
import pytest
from record_stores import MODEL, NEWER, SETTINGS, STORES, add, begin_newer, make_entry, unit

from promptreid.errors import GalleryError
from promptreid.gallery.records import copying
from promptreid.gallery.records.copying import copy_records
from promptreid.gallery.records.record_digests import digest_records
from promptreid.gallery.records.record_rows import (
    KEPT,
    SEARCHED,
    AuditRow,
    NewNegative,
    NewVector,
    NullRow,
)


@pytest.fixture(params=STORES)
def target(request, tmp_path):
    """Empty records of every kind."""
    kind = STORES[request.param]
    if kind.reason_not_run() is not None:
        pytest.skip(kind.reason_not_run())
    made = kind.create(kind.new_place(tmp_path, "target"), {"aggregate": "mean-vector"})
    yield made
    made.close()


@pytest.fixture
def filled(records):
    """Records with something of everything in them."""
    rng = np.random.default_rng(0)
    numbers = add(
        records,
        *(
            make_entry(
                n,
                identity=f"person {n % 5}",
                crop=None if n % 4 == 0 else rng.bytes(50),
                camera=None if n % 3 else "gate",
                time=None if n % 2 else n / 7,
                attributes={"coat": "réd", "b": str(n)},
                box="1,2,3,4" if n % 4 == 0 else "",
            )
            for n in range(30)
        ),
    )
    begin_newer(records, *numbers[:20])
    person = records.identity("person 2").identity
    with records.writing():
        records.set_hidden(numbers[3:6], hidden=True)
        records.set_note(person, "seen twice")
        records.put_null_rows([NullRow(person, numbers[2], 0.1 + 0.2, 1)], [])
        records.add_negatives(
            [
                NewNegative(person, f"{77:064x}", crop=b"negative", vector=unit(4, 1)),
                NewNegative(person, make_entry(1).content_hash, entry=numbers[1]),
            ]
        )
        [negative, _] = [row.negative for row in records.negatives()]
        records.put_vectors(NEWER.fingerprint, [NewVector(negative, unit(3, 2))], negatives=True)
        records.refuse(["aa", "bb"])
        records.set_setting("rate", "0.01")
    with records.writing():
        records.delete(numbers[-2:])
    with records.noting():
        records.append_audit(
            [
                AuditRow(n, n * 5, f"{n:064x}", f"{n + 1:064x}", bytes(16), "{}", None, (n,))
                for n in (1, 2, 3)
            ]
        )
    return records


def test_a_copy_holds_all_that_was_there(filled, target):
    copied = copy_records(filled, target)
    assert (copied.entries, copied.identities, copied.models) == (28, 5, 2)
    assert digest_records(target) == digest_records(filled) == copied.parts
    for read in (
        lambda records: records.settings(),
        lambda records: records.identities(),
        lambda records: [row for row, _ in records.entries()],
        lambda records: [vector.tolist() for _, vector in records.entries()],
        lambda records: [records.picture(row.entry) for row, _ in records.entries()],
        lambda records: records.null_rows(),
        lambda records: [(row.negative, row.entry) for row in records.negatives()],
        lambda records: [row.vector.tolist() for row in records.negatives(MODEL.fingerprint)],
        lambda records: list(records.audit_rows()),
        lambda records: records.audit_head(),
        lambda records: records.refused(),
        lambda records: records.models(),
        lambda records: records.counters().entry,
    ):
        assert read(target) == read(filled)
    assert target.revision() >= filled.revision()
    assert target.find_damage() == []


def test_numbers_go_on_where_they_were(filled, target):
    copy_records(filled, target)
    [number] = add(target, make_entry(100))
    assert number == filled.counters().entry + 1


def test_models_that_answered_once_are_kept(records, target):
    [number] = add(records, make_entry(1))
    begin_newer(records, number)
    with records.writing():
        records.set_model(NEWER)
    copy_records(records, target)
    assert [stored.state for stored in target.models()] == [KEPT, SEARCHED]
    assert target.model() == NEWER


def test_an_empty_gallery_is_copied(kind, tmp_path, target):
    empty = kind.create(kind.new_place(tmp_path, "empty"), SETTINGS)
    assert copy_records(empty, target).entries == 0
    assert target.settings() == SETTINGS | {
        key: value for key, value in target.settings().items() if key not in SETTINGS
    }
    empty.close()


def test_a_place_that_is_not_empty_is_not_written_over(filled, target):
    copy_records(filled, target)
    before = digest_records(target)
    with pytest.raises(GalleryError) as caught:
        copy_records(filled, target)
    assert "28" in str(caught.value)
    assert digest_records(target) == before


def test_an_interruption_leaves_nothing(filled, target, monkeypatch):
    def stop(records):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(copying, "digest_records", stop)
        with pytest.raises(KeyboardInterrupt):
            copy_records(filled, target)
    assert target.count_entries() == 0
    assert target.models() == []
    assert copy_records(filled, target).entries == 28


def test_a_copy_that_differs_is_refused(filled, target, monkeypatch):
    class Lossy:
        """Passes everything on but one vector."""

        def __getattr__(self, name):
            return getattr(target, name)

        def put_vectors(self, fingerprint, vectors, **options):
            target.put_vectors(fingerprint, vectors[:-1], **options)

    with pytest.raises(GalleryError, match=MODEL.fingerprint[:16]):
        copy_records(filled, Lossy())
    assert target.count_entries() == 0


def test_the_source_may_be_written_to_meanwhile(kind, place, filled, target, monkeypatch):
    other = kind.open(place)
    compare = copying._compare

    def write_and_compare(source, written):
        add(other, make_entry(500))
        return compare(source, written)

    monkeypatch.setattr(copying, "_compare", write_and_compare)
    assert copy_records(filled, target).entries == 28
    assert filled.count_entries() == 29
    other.close()
