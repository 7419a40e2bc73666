"""What is erased is gone, byte by byte."""

import numpy as np
import pytest
from gallery_model import draw_people, make_gallery, open_gallery

from promptreid.errors import GalleryError
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.records.erased_bytes import LENGTH, STRIDE, choose_pieces, find_in_files
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords


@pytest.fixture
def gallery(tmp_path):
    made = make_gallery(tmp_path / "people")
    made.add(*draw_people(30, 3))
    return made


def all_windows(content):
    return {content[start : start + LENGTH] for start in range(len(content) - LENGTH + 1)}


def test_no_window_of_erased_bytes_is_left_in_any_file(gallery, tmp_path):
    numbers = [row.entry for row in gallery.entries("person 7")]
    stored = [content for number in numbers for content in gallery.records.stored_bytes(number)]
    hashes = [row.content_hash.encode()[:LENGTH] for row in gallery.entries("person 7")]
    files = list((tmp_path / "people").iterdir())
    assert find_in_files(files, [piece for content in stored for piece in choose_pieces(content)])
    assert find_in_files(files, hashes)
    told = gallery.erase("person 7")
    assert (told.entries, told.identities) == (3, 1)
    assert told.pieces >= 6
    shared = set()
    for row, _ in gallery.records.entries():
        for content in gallery.records.stored_bytes(row.entry):
            shared |= all_windows(content)
    files = list((tmp_path / "people").iterdir())
    windows = {window for content in stored for window in all_windows(content)} - shared
    assert len(windows) > 500
    assert find_in_files(files, list(windows)) == []
    assert find_in_files(files, hashes) == []
    assert not [path for path in files if b"person 7\x00" in path.read_bytes()]


def test_bytes_that_are_left_are_an_error(gallery, monkeypatch):
    monkeypatch.setattr(SqliteRecords, "compact", lambda records: None)
    with pytest.raises(GalleryError, match="still stand"):
        gallery.erase("person 3")


def test_an_erasure_that_was_stopped_is_finished_by_the_next_opening(
    gallery, tmp_path, monkeypatch
):
    number = gallery.entries("person 3")[0].entry
    content = gallery.records.stored_bytes(number)[0]
    pieces = choose_pieces(content) or [content[-LENGTH:]]

    def stop(records):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(SqliteRecords, "compact", stop)
        with pytest.raises(KeyboardInterrupt):
            gallery.erase("person 3")
    assert gallery.records.is_compaction_due
    assert find_in_files((tmp_path / "people").iterdir(), pieces)
    opened = open_gallery(tmp_path / "people")
    assert not opened.records.is_compaction_due
    assert not opened.records.find_bytes(pieces)
    assert opened.check() == []


def test_what_was_erased_can_be_enrolled_again(gallery):
    pictures, names = draw_people(30, 3)
    gallery.erase("person 0")
    told = gallery.add(pictures[:3], names[:3])
    assert told.added == 3
    assert gallery.check() == []


def test_what_was_erased_is_refused_where_that_was_asked_for(gallery, tmp_path):
    pictures, names = draw_people(30, 3)
    hashes = [row.content_hash.encode()[:LENGTH] for row in gallery.entries("person 0")]
    gallery.erase("person 0", refuse=True)
    gallery.erase("person 1")
    assert find_in_files((tmp_path / "people").iterdir(), hashes) == []
    told = open_gallery(tmp_path / "people").add(pictures[:6], names[:6])
    assert (told.added, told.present, len(told.refused)) == (3, 0, 3)
    assert [image.identity for image in told.images] == [None] * 3 + ["person 1"] * 3
    assert "person 0" not in {row.name for row in gallery.identities()}
    assert gallery.allow([pictures[0], pictures[60]]) == 1
    assert gallery.add(pictures[:3], names[:3]).added == 1
    assert gallery.check() == []


def test_erasing_everybody_leaves_an_empty_gallery(gallery, tmp_path):
    gallery.erase(entries=[row.entry for row, _ in gallery.records.entries()])
    assert gallery.identities() == []
    assert gallery.check() == []
    with pytest.raises(GalleryError, match="Nobody is enrolled"):
        gallery.search(draw_people(1, 1)[0])
    assert Gallery(SqliteRecords.open(tmp_path / "people")).info().entries == 0


@pytest.mark.parametrize("seed", range(5))
def test_pieces_are_found_wherever_they_stand(tmp_path, seed, monkeypatch):
    monkeypatch.setattr("promptreid.gallery.records.erased_bytes._CHUNK", 1000)
    rng = np.random.default_rng(seed)
    pieces = [rng.bytes(LENGTH) for _ in range(20)]
    content = bytearray(rng.bytes(5000))
    places = rng.choice(5000 // 40, 10, replace=False) * 40 + int(rng.integers(0, 8))
    for piece, place in zip(pieces[:10], places, strict=True):
        content[place : place + LENGTH] = piece
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "short").write_bytes(b"abc")
    present = [piece for piece in pieces if piece in content]
    assert len(present) == 10
    assert find_in_files(tmp_path.iterdir(), pieces) == present


def test_any_long_run_of_content_holds_a_whole_piece():
    content = np.random.default_rng(0).bytes(3000)
    pieces = choose_pieces(content)
    for start in range(0, 3000 - STRIDE - LENGTH, 7):
        assert any(piece in content[start : start + STRIDE + LENGTH] for piece in pieces)
    assert choose_pieces(bytes(3000)) == []
