"""What follows from records is that of one revision of them, whatever comes in between."""

import pytest
from facts import lacking
from gallery_model import PixelModel, draw_people, make_gallery

from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_errors import StoreFailedError
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords

PICTURES, NAMES = draw_people(8, 3)


@pytest.fixture
def galleries(tmp_path):
    """Two galleries of the same records, of which the other has read what the first wrote."""
    one = make_gallery(tmp_path / "people")
    one.add(PICTURES[:18], NAMES[:18])
    other = Gallery(SqliteRecords.open(tmp_path / "people"), PixelModel())
    other.search(PICTURES[:1])
    yield one, other
    one.close()
    other.close()


def rename(gallery):
    gallery.name("person 1", "somebody")


def add(gallery):
    gallery.add(PICTURES[18:], NAMES[18:])


def erase(gallery):
    gallery.erase("person 1")


def erase_and_add(gallery):
    gallery.erase("person 1")
    gallery.add(PICTURES[21:], NAMES[21:])


def merge(gallery):
    gallery.merge("person 1", "person 2")


@pytest.mark.parametrize("change", [rename, add, erase, erase_and_add, merge])
@pytest.mark.parametrize("by_whom", ["itself", "another"])
def test_names_follow_changes(galleries, change, by_whom):
    one, other = galleries
    change(other if by_whom == "itself" else one)
    other.search(PICTURES[:1])
    assert other._state.names == one.records.names()


def test_only_what_changed_is_read(galleries, monkeypatch):
    _, other = galleries
    read = other.records.names
    lengths = []

    def count(since=-1):
        names = read(since)
        lengths.append(len(names))
        return names

    monkeypatch.setattr(other.records, "names", count)
    other.add(PICTURES[18:21], NAMES[18:21])
    lengths.clear()
    other.add(PICTURES[21:], NAMES[21:])
    assert lengths
    assert max(lengths) <= 2  # who is new, and who came in the revision before


def test_names_that_were_rolled_back_are_gone(galleries, monkeypatch):
    _, other = galleries
    state = other._state

    def fail(*_):
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(other.records, "put_null_rows", fail)
        with pytest.raises(RuntimeError):
            other.add(PICTURES[18:], NAMES[18:])
    other.search(PICTURES[:1])
    assert state.names == other.records.names()
    assert len(state.names) == 6


@pytest.mark.parametrize("read", ["vectors", "null_rows", "names"])
def test_what_was_read_in_part_is_read_anew(galleries, monkeypatch, read):
    one, other = galleries
    erase_and_add(one)

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(other.records, read, fail)
        with pytest.raises(KeyboardInterrupt):
            other.search(PICTURES[:1])
    assert other.search(PICTURES) == one.search(PICTURES)
    assert other.check() == []


def test_a_server_that_fails_after_the_change_does_not_hide_that_it_is_stored(
    galleries, monkeypatch
):
    one, other = galleries

    def fail():
        raise StoreFailedError("The index milvus://there/people cannot be used: gone.")

    monkeypatch.setattr(one._state.index, "settle", fail)
    with pytest.raises(StoreFailedError) as caught:
        one.erase("person 1")
    assert not lacking(str(caught.value), "is stored", "milvus://there/people")
    assert "person 1" not in [row.name for row in other.identities()]
    monkeypatch.undo()
    assert "person 1" not in [row.name for row in one.identities()]
