"""Whoever writes a segment while somebody erases leaves nothing of what was erased."""

import numpy as np
import pytest
from gallery_model import draw_people, make_gallery, open_gallery

from promptreid.gallery.records.erased_bytes import LENGTH, find_in_files
from promptreid.gallery.searching.indexes import index_choice, row_segments, row_store
from promptreid.gallery.searching.indexes.segment_guard import holding_segments

PICTURES, NAMES = draw_people(20, 4)


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """A gallery of ten people that is open twice, with vectors in files of 16."""
    monkeypatch.setattr(index_choice, "BITS_FROM", 30)
    for module in (row_store, row_segments):
        monkeypatch.setattr(module, "SEGMENT", 16)
    gallery = make_gallery(tmp_path / "people")
    gallery.add(PICTURES[:40], NAMES[:40])
    other = open_gallery(tmp_path / "people")
    other.info()
    yield gallery, other
    gallery.close()
    other.close()


@pytest.fixture
def erased(pair):
    """Pieces of the vectors of somebody, which are in the memory of both."""
    gallery, _ = pair
    numbers = np.array([row.entry for row in gallery.entries("person 9")])
    vectors = gallery._state.index.vectors(gallery._state.table.find_rows(numbers))
    return [row.tobytes()[:LENGTH] for row in vectors]


def list_left(folder, erased):
    return find_in_files((folder / "people").rglob("*"), erased)


def test_what_is_erased_between_a_commit_and_its_segment_is_not_written(
    pair, erased, tmp_path, monkeypatch
):
    writing, erasing = pair
    settle, told = type(writing._state.index).settle, []

    def erase_first(index):
        if index is writing._state.index and not told:
            told.append(erasing.erase("person 9"))
        settle(index)

    monkeypatch.setattr(type(writing._state.index), "settle", erase_first)
    before = len(list((tmp_path / "people" / "derived").glob("*.rows")))
    writing.add(PICTURES[40:52], NAMES[40:52])
    assert told[0].entries == 4
    assert len(list((tmp_path / "people" / "derived").glob("*.rows"))) == before + 1
    assert list_left(tmp_path, erased) == []
    near = writing.nearest(PICTURES[36:37], top=3)[0]
    assert near[0].identity != "person 9"
    assert writing.check() == erasing.check() == []


def test_what_another_wrote_before_the_proof_is_wiped(pair, erased, tmp_path, monkeypatch):
    writing, erasing = pair
    delete = type(erasing.records).delete

    def write_first(records, entries):
        """Let the other fill a segment that the one who erases does not know."""
        writing._state.index.settle()
        return delete(records, entries)

    monkeypatch.setattr(type(erasing.records), "delete", write_first)
    for index in (writing._state.index, erasing._state.index):
        index._store.write_segments = lambda *given: None  # until the moment of the erasure
    writing.add(PICTURES[40:52], NAMES[40:52])
    del writing._state.index._store.write_segments
    erasing.erase("person 9")
    assert len(list((tmp_path / "people" / "derived").glob("*.rows"))) == 3
    assert list_left(tmp_path, erased) == []


def test_nothing_is_written_while_somebody_looks_for_what_is_left(
    pair, erased, tmp_path, monkeypatch
):
    writing, erasing = pair
    files = tmp_path / "people" / "derived"
    before = len(list(files.glob("*.rows")))
    find_bytes = type(erasing.records).find_bytes

    def write_meanwhile(records, pieces):
        writing.add(PICTURES[40:52], NAMES[40:52])
        assert len(list(files.glob("*.rows"))) == before
        return find_bytes(records, pieces)

    with monkeypatch.context() as patched:
        patched.setattr(type(erasing.records), "find_bytes", write_meanwhile)
        erasing.erase("person 9")
    writing.add(PICTURES[52:53], NAMES[52:53])
    assert len(list(files.glob("*.rows"))) == before + 1
    assert list_left(tmp_path, erased) == []
    assert writing.check() == []


def test_without_looking_again_what_was_erased_is_written(pair, erased, tmp_path, monkeypatch):
    writing, erasing = pair

    def erase_first(index):
        if index is writing._state.index:
            erasing.erase("person 9")
            index._store.write_segments(index._table)

    monkeypatch.setattr(type(writing._state.index), "settle", erase_first)
    writing.add(PICTURES[40:52], NAMES[40:52])
    assert list_left(tmp_path, erased)


def test_one_holds_a_folder_at_a_time(tmp_path):
    folder = tmp_path / "derived"
    with holding_segments(folder, wait=True) as is_held:
        assert is_held
        with holding_segments(folder, wait=False) as is_held_twice:
            assert not is_held_twice
    with holding_segments(folder, wait=False) as is_held:
        assert is_held
