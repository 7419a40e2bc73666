"""Vectors of another model are made beside the old ones, and searched from one moment on."""

import io
import sqlite3
import tempfile
import threading

import numpy as np
import postgres_server
import pytest
from facts import lacking
from gallery_model import (
    PixelModel,
    TextPixelModel,
    draw_people,
    make_gallery,
    open_gallery,
)
from PIL import Image
from record_stores import POSTGRES

from promptreid.errors import GalleryError
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_errors import ModelSwitchedError
from promptreid.gallery.gallery_settings import GallerySettings
from promptreid.gallery.records.erased_bytes import LENGTH, find_in_files
from promptreid.gallery.records.open_records import create_records
from promptreid.gallery.records.record_rows import BEING_MADE, KEPT, SEARCHED
from promptreid.gallery.records.sqlite.sqlite_schema import FILE
from promptreid.gallery.searching.indexes import index_choice, row_segments, row_store
from promptreid.gallery.searching.next_null_sample import NextNullSample
from promptreid.gallery.searching.search_state import SearchState
from promptreid.gallery.upkeep import reembedding
from promptreid.gallery.vector_model import GalleryImage, describe_model
from promptreid.progress import Silent

OLD, NEW = PixelModel(0), PixelModel(7)


@pytest.fixture(scope="module")
def people():
    return draw_people(40, 3)


@pytest.fixture
def gallery(tmp_path, people):
    """Thirty of forty people with two of their three pictures."""
    pictures, names = people
    made = make_gallery(tmp_path / "people")
    rows = [row for row in range(90) if row % 3]
    made.add([pictures[row] for row in rows], [names[row] for row in rows])
    return made


def states(gallery):
    return {
        stored.model.fingerprint: (stored.state, stored.entries)
        for stored in gallery.records.models()
    }


class Stopped(Exception):
    """What stops a model half way."""


class StoppingModel(PixelModel):
    """Stops after some pictures, or does something else in between."""

    def __init__(self, seed, batches, act):
        super().__init__(seed)
        self._left, self._act = batches, act

    def vectors(self, images):
        """Embed, or act."""
        if not self._left:
            self._act()
        self._left -= 1
        return super().vectors(images)


def test_answers_are_then_those_of_a_gallery_of_the_new_model(gallery, tmp_path, people):
    pictures, names = people
    told = gallery.reembed(NEW)
    assert (told.entries, told.made, told.former) == (60, 60, OLD.fingerprint)
    other = make_gallery(tmp_path / "other", seed=7)
    rows = [row for row in range(90) if row % 3]
    other.add([pictures[row] for row in rows], [names[row] for row in rows])
    queries = pictures[::3]
    for mine, right in zip(gallery.search(queries), other.search(queries), strict=True):
        assert mine.identity == right.identity
        assert mine.p == right.p
        assert mine.score == pytest.approx(right.score, abs=1e-6)
    assert states(gallery) == {NEW.fingerprint: (SEARCHED, 60)}
    assert gallery.check() == []
    assert open_gallery(tmp_path / "people", seed=7).search(queries)[0].identities == 30


def test_old_vectors_can_be_kept_and_switched_back_to(gallery, people):
    pictures, names = people
    before = gallery.search(pictures[:4])
    gallery.reembed(NEW, keep_old=True)
    assert states(gallery) == {OLD.fingerprint: (KEPT, 60), NEW.fingerprint: (SEARCHED, 60)}
    gallery.add(pictures[90:92], names[90:92])
    assert gallery.reembed(OLD, keep_old=True).made == 2
    gallery.erase(names[90])
    assert gallery.search(pictures[:4]) == before
    assert gallery.reembed(OLD).made == 0  # which removes what is kept
    assert states(gallery) == {OLD.fingerprint: (SEARCHED, 60)}
    assert gallery.check() == []


def test_no_byte_of_the_old_vectors_is_left(gallery):
    [vector] = [vector for row, vector in gallery.records.entries() if row.entry == 7]
    piece = vector.tobytes()[:32]
    gallery.reembed(NEW)
    assert gallery.records.find_bytes([piece]) == []


def test_others_search_and_add_meanwhile_and_have_to_open_it_again_afterwards(
    gallery, tmp_path, people, monkeypatch
):
    monkeypatch.setattr(reembedding, "_AT_A_TIME", 16)
    pictures, names = people
    other = open_gallery(tmp_path / "people")
    expected = other.search(pictures[:1])
    seen = []

    def use():
        seen.append(other.search(pictures[:1]) == expected)
        number = 90 + len(seen) - 1
        other.add([pictures[number]], ["late"])

    class BusyModel(PixelModel):
        def vectors(self, images):
            if len(seen) < 4:  # the switch itself holds up other writers
                use()
            return super().vectors(images)

    told = gallery.reembed(BusyModel(7))
    assert told.entries == 60 + len(seen)
    assert len(seen) == 4
    assert seen[0]
    assert states(gallery) == {NEW.fingerprint: (SEARCHED, told.entries)}
    assert gallery.check() == []
    for action in (
        lambda: other.search(pictures[:1]),
        lambda: other.nearest(pictures[:1]),
        lambda: other.add(pictures[110:111], names[110:111]),
    ):
        with pytest.raises(ModelSwitchedError) as caught:
            action()
        assert not lacking(str(caught.value), NEW.fingerprint[:16], "again")
    other.hide("late")
    assert gallery.info().hidden == len(seen)
    assert gallery.check() == []


def test_the_null_sample_follows_what_changes_while_it_is_computed(
    gallery, tmp_path, people, monkeypatch
):
    """Others add, hide, erase and merge between its computation and the switch."""
    pictures, names = people
    other = open_gallery(tmp_path / "people")
    compute = NextNullSample.compute

    def compute_and_change(sample, progress):
        compute(sample, progress)
        other.add(pictures[90:96], names[90:96])
        other.hide("person 1")
        other.erase("person 2")
        other.merge("person 3", "person 4")

    monkeypatch.setattr(NextNullSample, "compute", compute_and_change)
    assert gallery.reembed(NEW).entries == 64
    assert gallery.check() == []
    assert gallery.search(pictures[:1])[0].identities == 29


def test_many_are_calibrated_from_files_that_are_gone_afterwards(
    gallery, tmp_path, people, monkeypatch
):
    monkeypatch.setattr(index_choice, "BITS_FROM", 30)
    for module in (row_store, row_segments):
        monkeypatch.setattr(module, "SEGMENT", 16)
    files, compute = [], NextNullSample.compute

    def compute_and_look(sample, progress):
        files.extend((tmp_path / "people" / "derived" / "next").iterdir())
        compute(sample, progress)

    monkeypatch.setattr(NextNullSample, "compute", compute_and_look)
    gallery.reembed(NEW)
    assert len(files) == 60 // 16
    assert not (tmp_path / "people" / "derived" / "next").exists()
    assert gallery.check() == []
    assert gallery._state.index.kind == "bits"
    plain = make_gallery(tmp_path / "plain", seed=7)
    plain.add([people[0][row] for row in range(90) if row % 3],
              [people[1][row] for row in range(90) if row % 3])  # fmt: skip
    answers = zip(gallery.search(people[0][:9]), plain.search(people[0][:9]), strict=True)
    assert all(one.p == other.p for one, other in answers)


def test_many_in_a_database_are_calibrated_from_files_without_a_name(tmp_path, people, monkeypatch):
    reason = POSTGRES.reason_not_run()
    if reason is not None:
        pytest.skip(reason)
    monkeypatch.setattr(index_choice, "BITS_FROM", 30)
    monkeypatch.setattr(row_store, "SEGMENT", 16)
    place = postgres_server.share_server().new_place()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gallery = Gallery(create_records(place, GallerySettings().to_texts()), OLD)
    rows = [row for row in range(90) if row % 3]
    gallery.add([people[0][row] for row in rows], [people[1][row] for row in rows])
    seen, read, compute = [], [], NextNullSample.compute
    vectors = type(gallery.records).vectors

    def compute_and_look(sample, progress):
        seen.append((sample._index.kind, len(sample._index._store._segments)))
        assert not any(path.is_file() for path in tmp_path.rglob("*"))
        read.clear()
        compute(sample, progress)
        assert read == []  # what is searched is not in the database

    def tell(records, entries, **given):
        read.append(len(entries))
        return vectors(records, entries, **given)

    monkeypatch.setattr(type(gallery.records), "vectors", tell)
    monkeypatch.setattr(NextNullSample, "compute", compute_and_look)
    assert gallery.reembed(NEW).made == 60
    assert seen == [("bits", 60 // 16)]
    assert list(tmp_path.iterdir()) == []
    assert gallery.check() == []
    gallery.close()


def test_what_is_erased_meanwhile_is_not_left_in_these_files(
    gallery, tmp_path, people, monkeypatch
):
    monkeypatch.setattr(index_choice, "BITS_FROM", 30)
    for module in (row_store, row_segments):
        monkeypatch.setattr(module, "SEGMENT", 16)
    other, compute = open_gallery(tmp_path / "people"), NextNullSample.compute
    [vector] = NEW.vectors([GalleryImage(people[0][4])])  # of person 1

    def compute_and_erase(sample, progress):
        compute(sample, progress)
        files = list((tmp_path / "people").rglob("*"))
        assert find_in_files(files, [vector.tobytes()[:LENGTH]])
        other.erase("person 1")
        assert find_in_files((tmp_path / "people").rglob("*"), [vector.tobytes()[:LENGTH]]) == []

    monkeypatch.setattr(NextNullSample, "compute", compute_and_erase)
    assert gallery.reembed(NEW).entries == 58
    assert gallery.check() == []


def test_what_was_stopped_goes_on_where_it_was(gallery, people, monkeypatch):
    monkeypatch.setattr(reembedding, "_AT_A_TIME", 16)
    monkeypatch.setattr(reembedding, "_LEFT_TO_THE_SWITCH", 0)

    def stop():
        raise Stopped

    before = gallery.search(people[0][:2])
    with pytest.raises(Stopped):
        gallery.reembed(StoppingModel(7, 2, stop))
    assert states(gallery) == {OLD.fingerprint: (SEARCHED, 60), NEW.fingerprint: (BEING_MADE, 32)}
    assert gallery.search(people[0][:2]) == before
    assert gallery.reembed(NEW).made == 28


def test_what_stops_the_switch_leaves_the_old_vectors(gallery, people, monkeypatch):
    def stop(sample, records):
        assert records.model().fingerprint == NEW.fingerprint
        raise Stopped

    before = gallery.search(people[0][:2])
    with monkeypatch.context() as patched:
        patched.setattr(NextNullSample, "update", stop)
        with pytest.raises(Stopped):
            gallery.reembed(NEW)
    assert states(gallery) == {OLD.fingerprint: (SEARCHED, 60), NEW.fingerprint: (BEING_MADE, 60)}
    assert gallery.search(people[0][:2]) == before
    assert gallery.check() == []
    assert gallery.reembed(NEW).entries == 60


def test_negative_examples_have_vectors_of_the_new_model(gallery, people):
    gallery.add_negatives("person 0", [people[0][100]])
    gallery.reembed(NEW)
    [row] = gallery.records.negatives()
    [vector] = NEW.vectors([GalleryImage(people[0][100])])
    assert row.vector == pytest.approx(vector, abs=1e-6)


@pytest.mark.parametrize("keep", ["crops", "paths"])
def test_pictures_are_those_that_were_enrolled(tmp_path, keep):
    pictures, names = draw_people(6, 2)
    paths = []
    for number, picture in enumerate(pictures):
        path = tmp_path / f"{number}.png"
        Image.fromarray(picture).save(path)
        paths.append(str(path))
    gallery = make_gallery(tmp_path / "people", keep=keep)
    gallery.add(paths, names)
    if keep == "crops":
        for path in tmp_path.glob("*.png"):
            path.unlink()
    assert gallery.reembed(NEW).made == 12
    vectors = np.stack([vector for _, vector in gallery.records.entries()])
    right = NEW.vectors([GalleryImage(picture) for picture in pictures])
    assert vectors == pytest.approx(right, abs=1e-6)


def test_pictures_that_are_gone_or_others_are_told_and_nothing_is_switched(tmp_path):
    pictures, names = draw_people(6, 2)
    paths = []
    for number, picture in enumerate(pictures):
        path = tmp_path / f"{number}.png"
        Image.fromarray(picture).save(path)
        paths.append(path)
    gallery = make_gallery(tmp_path / "people", keep="paths")
    gallery.add([str(path) for path in paths], names)
    paths[3].unlink()
    content = io.BytesIO()
    Image.fromarray(pictures[0]).save(content, "PNG")
    before = paths[5].read_bytes()
    paths[5].write_bytes(content.getvalue())
    with pytest.raises(GalleryError) as caught:
        gallery.reembed(NEW)
    assert not lacking(
        str(caught.value), "2 pictures", "entry 4", "entry 6", str(paths[5]), "erase"
    )
    assert gallery.records.model().fingerprint == OLD.fingerprint
    assert gallery.search([pictures[0]])[0].identities == 6
    paths[5].write_bytes(before)
    gallery.erase(entries=[4])
    assert gallery.reembed(NEW).entries == 11


def test_what_lacks_a_vector_of_the_model_that_is_searched_gets_one(gallery, tmp_path, people):
    before = gallery.search(people[0][:3])
    assert gallery.reembed(OLD).made == 0
    gallery.close()
    with sqlite3.connect(tmp_path / "people" / FILE) as connection:
        connection.execute("DELETE FROM vectors WHERE entry < 5")
    connection.close()
    opened = open_gallery(tmp_path / "people")
    problems = opened.check()
    assert len(problems) >= 4
    assert "reembed" in problems[0].remedy
    told = opened.reembed(OLD)
    assert (told.made, told.former, told.entries) == (4, None, 60)
    assert opened.check() == []
    assert opened.search(people[0][:3]) == before


def test_vectors_for_sentences_are_made_too(gallery, people):
    told = gallery.reembed(TextPixelModel(7))
    assert (told.made, gallery.records.model().text_width) == (60, 16)
    assert gallery.records.missing_vectors(NEW.fingerprint, text=True) == []


def test_a_model_that_has_a_text_side_by_now_fills_the_gaps(gallery, people):
    before = gallery.search(people[0][:3])
    assert gallery.reembed(TextPixelModel(0)).made == 60
    texts = [text for _, text in gallery.records.entries(text=True)]
    pictures = [picture for row, picture in enumerate(people[0][:90]) if row % 3]
    images = [GalleryImage(picture) for picture in pictures]
    assert np.stack(texts) == pytest.approx(TextPixelModel(0).both_vectors(images)[1], abs=1e-6)
    assert gallery.reembed(TextPixelModel(0)).made == 0
    assert gallery.search(people[0][:3]) == before
    assert gallery.check() == []


def test_a_gallery_that_is_empty_changes_its_model(tmp_path):
    gallery = make_gallery(tmp_path / "empty")
    assert gallery.reembed(NEW).entries == 0
    assert states(gallery) == {NEW.fingerprint: (SEARCHED, 0)}


def test_progress_counts_what_is_on_the_disk(gallery, monkeypatch):
    monkeypatch.setattr(reembedding, "_AT_A_TIME", 16)
    monkeypatch.setattr(reembedding, "_LEFT_TO_THE_SWITCH", 0)
    counts, done = [], []

    class Watching(Silent):
        def start(self, title, total, unit):
            counts.append(total)

        def advance(self, count):
            done.append(count)
            missing = gallery.records.missing_vectors(NEW.fingerprint)
            assert sum(done) == 60 - len(missing)

    gallery.reembed(NEW, progress=Watching())
    assert counts == [60]
    assert sum(done) == 60


def test_several_threads_use_it_while_it_is_switched(gallery, people):
    pictures, _ = people
    wrong, end = [], threading.Event()

    def search():
        while not end.is_set():
            [answer] = gallery.search([pictures[0]])
            if answer.candidates[0].identity != "person 0":
                wrong.append(answer)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    gallery.reembed(NEW)
    gallery.search([pictures[0]])
    end.set()
    for thread in threads:
        thread.join()
    assert wrong == []


class Guarded:
    """Records that refuse to be used by a thread without the lock."""

    def __init__(self, records, lock):
        self._records, self._lock = records, lock

    def __getattr__(self, name):
        assert name in ("place", "derived") or self._lock._is_owned(), name
        return getattr(self._records, name)


@pytest.mark.parametrize("model", [NEW, OLD, TextPixelModel(0)])
def test_records_are_used_by_one_thread_at_a_time(gallery, people, model):
    """On one connection, reading stands in another thread's transaction, or in its way."""
    gallery.add_negatives("person 0", [people[0][100]])
    gallery.reembed(TextPixelModel(7), keep_old=True)
    gallery.records = Guarded(gallery.records, gallery._lock)
    gallery.reembed(model)
    with gallery._lock:
        assert gallery.records.model().fingerprint == model.fingerprint


def test_what_is_taken_out_while_it_is_embedded_is_passed_over(
    gallery, tmp_path, people, monkeypatch
):
    monkeypatch.setattr(reembedding, "_AT_A_TIME", 1)
    other = open_gallery(tmp_path / "people")
    gallery.add_negatives("person 1", people[0][100:102])
    crop, taken = gallery.records.negative_picture(1).crop, []

    class TakingOut(PixelModel):
        def vectors(self, images):
            if len(taken) == 0:
                taken.append(other.erase(entries=[2]))
            if len(taken) == 1 and images[0].pixels.content == crop:
                taken.append(other.remove_negatives([2]))
            return super().vectors(images)

    assert gallery.reembed(TakingOut(7)).entries == 59
    assert len(taken) == 2
    assert len(gallery.records.negatives()) == 1
    assert gallery.check() == []


def test_a_former_model_that_somebody_begins_anew_is_not_taken_away(gallery, tmp_path, monkeypatch):
    gallery.reembed(NEW, keep_old=True)
    other, changing = open_gallery(tmp_path / "people", seed=7), SearchState.changing

    def change_later(state, records):
        monkeypatch.setattr(SearchState, "changing", changing)
        with other.records.writing():
            other.records.begin_model(describe_model(OLD))
        return changing(state, records)

    monkeypatch.setattr(SearchState, "changing", change_later)
    gallery.reembed(NEW)
    assert states(gallery) == {OLD.fingerprint: (BEING_MADE, 60), NEW.fingerprint: (SEARCHED, 60)}


def test_pictures_are_decoded_where_they_are_embedded(gallery):
    """Sixty-four photographs would need a gigabyte beforehand."""
    seen = []

    class Watching(PixelModel):
        def vectors(self, images):
            seen.extend(image.pixels.content for image in images)
            return super().vectors(images)

    assert gallery.reembed(Watching(7)).made == 60
    assert all(content.startswith(b"\x89PNG") for content in seen)
    assert len(seen) == 60
