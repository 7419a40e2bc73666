"""The contract of models side by side, and of vectors that compare with texts."""

import numpy as np
import pytest
from facts import lacking
from record_stores import MODEL, NEWER, SETTINGS, add, begin_newer, unit
from record_stores import make_entry as entry

from promptreid.errors import GalleryError
from promptreid.gallery.records.record_rows import (
    BEING_MADE,
    KEPT,
    SEARCHED,
    ModelRow,
    NewVector,
    NullRow,
)


@pytest.fixture
def two(records):
    """Two people, one entry each."""
    return add(records, entry(1), entry(2, identity="ben"))


def vectors(records, **options):
    return {
        row.entry: None if vector is None else vector.tolist()
        for row, vector in records.entries(**options)
    }


def states(records):
    return {stored.model.fingerprint: (stored.state, stored.entries) for stored in records.models()}


def test_a_model_is_made_beside_the_one_that_is_searched(kind, place, records, two):
    first, second = two
    before = vectors(records)
    begin_newer(records, first)
    assert records.model() == MODEL
    assert states(records) == {MODEL.fingerprint: (SEARCHED, 2), NEWER.fingerprint: (BEING_MADE, 1)}
    assert vectors(records) == before
    assert vectors(records, model=NEWER.fingerprint) == {first: [0, 1, 0], second: None}
    assert vectors(records, model=NEWER.fingerprint, text=True) == {first: [0, 1], second: None}
    assert records.missing_vectors(NEWER.fingerprint) == [second]
    assert records.missing_vectors(MODEL.fingerprint) == []
    assert states(kind.open(place)) == states(records)


def test_columns_and_vectors_are_read_of_the_model_that_is_asked_for(records, two):
    first, second = two
    begin_newer(records, first)
    [columns] = records.columns(model=NEWER.fingerprint)
    assert columns.usable.tolist() == [True, False]
    assert next(records.columns()).usable.all()
    read = records.vectors([second, first], model=NEWER.fingerprint)
    assert read.tolist() == [[0, 0, 0], [0, 1, 0]]
    assert records.vectors([first]).tolist() == [[0, 1, 0, 0]]


def test_making_vectors_beside_changes_no_version(records, two):
    revision = records.revision()
    begin_newer(records, *two)
    assert list(records.entries(since=revision)) == []


def test_what_is_added_meanwhile_lacks_a_vector_of_the_newer(records, two):
    begin_newer(records, *two)
    [third] = add(records, entry(3))
    assert records.missing_vectors(NEWER.fingerprint) == [third]
    assert vectors(records)[third] == unit(4, 3).tolist()


def test_the_switch_is_one_transaction(kind, place, records, two):
    begin_newer(records, *two)
    other = kind.open(place)
    with records.writing():
        records.set_model(NEWER)
        records.put_null_rows([NullRow(1, two[0], 0.5, 2)], [])
        assert other.model() == MODEL
    assert other.model() == NEWER
    assert vectors(other) == {two[0]: [0, 1, 0], two[1]: [0, 0, 1]}
    assert states(other) == {MODEL.fingerprint: (KEPT, 2), NEWER.fingerprint: (SEARCHED, 2)}


def test_the_null_sample_is_of_the_model_that_is_searched(records, two):
    with records.writing():
        records.put_null_rows([NullRow(1, two[0], 0.25, 2)], [])
    begin_newer(records, *two)
    with records.writing():
        records.set_model(NEWER)
    assert records.null_rows() == []
    with records.writing():
        records.put_null_rows([NullRow(2, two[1], 0.5, 1)], [])
        records.set_model(MODEL)
    assert records.null_rows() == []


def test_a_switch_that_raises_switches_nothing(records, two):
    begin_newer(records, *two)

    def switch_and_fail():
        with records.writing():
            records.set_model(NEWER)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        switch_and_fail()
    assert records.model() == MODEL


def test_one_can_switch_back(records, two):
    begin_newer(records, *two)
    before = vectors(records)
    for model in (NEWER, MODEL):
        with records.writing():
            records.set_model(model)
    assert records.model() == MODEL
    assert vectors(records) == before
    assert states(records)[NEWER.fingerprint] == (KEPT, 2)


def test_a_dropped_model_takes_its_vectors_along(records, two):
    begin_newer(records, *two)
    gone = records.stored_bytes(two[0])[-2:]
    with records.writing():
        records.drop_model(NEWER.fingerprint)
    assert records.is_compaction_due
    assert states(records) == {MODEL.fingerprint: (SEARCHED, 2)}
    assert not set(gone) & set(records.stored_bytes(two[0]))
    for use in (
        records.drop_model,
        records.missing_vectors,
        lambda f: list(records.entries(model=f)),
    ):
        with pytest.raises(GalleryError, match=NEWER.fingerprint[:16]):
            use(NEWER.fingerprint)


def test_the_searched_model_is_not_dropped_nor_begun(records):
    for use in (lambda: records.drop_model(MODEL.fingerprint), lambda: records.begin_model(MODEL)):
        with pytest.raises(GalleryError, match=MODEL.fingerprint[:16]), records.writing():
            use()
    assert records.model() == MODEL


def test_vectors_can_be_written_over(records, two):
    begin_newer(records, *two)
    with records.writing():
        records.put_vectors(NEWER.fingerprint, [NewVector(two[0], unit(3, 2))])
    assert vectors(records, model=NEWER.fingerprint)[two[0]] == [0, 0, 1]
    assert vectors(records, model=NEWER.fingerprint, text=True)[two[0]] == [0, 1]


def test_vectors_of_what_was_deleted_meanwhile_are_passed_over(records, two):
    begin_newer(records)
    with records.writing():
        records.delete([two[0]])
        records.put_vectors(NEWER.fingerprint, [NewVector(n, unit(3, 0), unit(2, 0)) for n in two])
    assert vectors(records, model=NEWER.fingerprint) == {two[1]: [1, 0, 0]}
    assert records.stored_bytes(two[0]) == []
    assert records.find_damage() == []


@pytest.mark.parametrize(
    ("vector", "facts"),
    [
        (NewVector(1, unit(4, 0)), ["(4,)", "(3,)"]),
        (NewVector(1, unit(3, 0), unit(3, 0)), ["(3,)", "(2,)"]),
        (NewVector(1, unit(3, 0), np.array([1, np.nan], np.float32)), ["cannot keep", "fp32"]),
    ],
)
def test_vectors_of_another_width_or_without_numbers_are_refused(records, two, vector, facts):
    begin_newer(records)
    with pytest.raises(GalleryError) as caught, records.writing():
        records.put_vectors(NEWER.fingerprint, [vector])
    assert not lacking(str(caught.value), *facts)


def test_entries_take_vectors_that_compare_with_texts(kind, tmp_path):
    records = kind.create(kind.new_place(tmp_path, "texts"), SETTINGS)
    with records.writing():
        records.set_model(NEWER)
    [first, second] = add(
        records,
        entry(1, vector=unit(3, 1), text_vector=unit(2, 1)),
        entry(2, vector=unit(3, 2)),
    )
    assert vectors(records, text=True) == {first: [0, 1], second: None}
    assert records.missing_vectors(NEWER.fingerprint, text=True) == [second]
    assert len(records.stored_bytes(first)) == 3
    with pytest.raises(GalleryError, match=r"\(5,\)"):
        add(records, entry(3, vector=unit(3, 0), text_vector=unit(5, 0)))
    assert records.count_entries() == 2
    records.close()


def test_a_model_may_learn_of_its_text_side_later(records, two):
    with pytest.raises(GalleryError), records.writing():
        records.put_vectors(MODEL.fingerprint, [NewVector(two[0], unit(4, 0), unit(2, 0))])
    able = ModelRow(MODEL.fingerprint, MODEL.width, {"source": "moved"}, text_width=2)
    before = records.revision()
    with records.writing():
        records.set_model(able)
        records.put_vectors(MODEL.fingerprint, [NewVector(two[0], unit(4, 0), unit(2, 0))])
    assert records.model() == able
    assert vectors(records, text=True) == {two[0]: [1, 0], two[1]: None}
    assert [row.entry for row, _ in records.entries(since=before)] == [two[0]]
    with records.writing():
        records.set_model(MODEL)
    assert records.model().text_width == 2


def test_deleted_entries_lose_the_vectors_of_all_models(records, two):
    big = np.random.default_rng(3).normal(size=3).astype(np.float32)
    begin_newer(records)
    with records.writing():
        records.put_vectors(NEWER.fingerprint, [NewVector(two[0], big, unit(2, 1))])
    assert big.tobytes() in records.stored_bytes(two[0])
    with records.writing():
        records.delete([two[0]])
    assert records.stored_bytes(two[0]) == []
    assert states(records)[NEWER.fingerprint] == (BEING_MADE, 0)


def test_a_kept_model_can_be_begun_again(records, two):
    begin_newer(records, *two)
    with records.writing():
        records.set_model(NEWER)
    [third] = add(records, entry(3, vector=unit(3, 0)))
    with records.writing():
        records.begin_model(MODEL)
    assert states(records)[MODEL.fingerprint] == (BEING_MADE, 2)
    assert records.missing_vectors(MODEL.fingerprint) == [third]
