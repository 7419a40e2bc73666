"""What does not show an identity is said, listed and taken back."""

import numpy as np
import pytest
from facts import lacking
from gallery_model import draw_people, make_gallery

from promptreid.errors import GalleryError
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_errors import ChangedSinceError, NotEnrolledError
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords


@pytest.fixture(scope="module")
def people():
    return draw_people(40, 3)


@pytest.fixture
def gallery(tmp_path, people):
    """Thirty of forty people with two of their three pictures."""
    pictures, names = people
    made = make_gallery(tmp_path / "people", rate=0.2)
    rows = [row for row in range(90) if row % 3]
    made.add([pictures[row] for row in rows], [names[row] for row in rows])
    return made


def entry_of(gallery, name):
    return gallery.entries(name)[0].entry


def test_pictures_and_entries_are_listed_by_number(gallery, people):
    pictures, _ = people
    entry = entry_of(gallery, "person 1")
    numbers = gallery.add_negatives("person 0", [pictures[100]], [entry])
    rows = gallery.negatives("person 0")
    assert [row.negative for row in rows] == numbers
    assert [(row.entry, row.shows) for row in rows] == [(None, None), (entry, "person 1")]
    assert gallery.negatives("person 1") == []
    assert len(gallery.negatives()) == 2
    assert gallery.add_negatives("person 0", [pictures[100]]) == numbers[:1]
    assert gallery.info().negatives == 2


def test_a_picture_that_is_enrolled_is_that_entry(gallery, people):
    pictures, names = people
    gallery.add_negatives("person 0", [pictures[4]])
    [row] = gallery.negatives()
    assert (row.shows, row.path) == (names[4], None)
    with pytest.raises(GalleryError) as caught:
        gallery.add_negatives("person 0", [pictures[1]])
    assert not lacking(str(caught.value), "person 0", "split")


@pytest.mark.parametrize(
    ("change", "kind", "facts"),
    [
        (lambda g: g.add_negatives("person 0"), GalleryError, ["entries"]),
        (lambda g: g.add_negatives("person 0", entries=[4711]), NotEnrolledError, ["4711"]),
        (lambda g: g.add_negatives("nobody", entries=[1]), NotEnrolledError, ["nobody"]),
        (lambda g: g.add_negatives("person 0", entries=[1]), GalleryError, ["Entry 1"]),
        (lambda g: g.remove_negatives([99]), NotEnrolledError, ["99"]),
        (lambda g: g.negatives("nobody"), NotEnrolledError, ["nobody"]),
        (lambda g: g.add_negatives("person 0", entries=[3], seen=0), ChangedSinceError, []),
    ],
)
def test_mistakes_are_told_and_change_nothing(gallery, change, kind, facts):
    with pytest.raises(kind) as caught:
        change(gallery)
    assert not lacking(str(caught.value), *facts)
    assert gallery.negatives() == []
    assert gallery.check() == []


def test_taking_one_back_leaves_no_byte_of_it(gallery, people):
    picture = np.random.default_rng(5).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    [number] = gallery.add_negatives("person 0", [picture])
    content = gallery.records.negative_bytes(number)
    gallery.remove_negatives([number])
    assert gallery.negatives() == []
    assert gallery.records.find_bytes([part[40:72] for part in content]) == []


def test_they_need_a_model_for_pictures_alone(gallery, tmp_path, people):
    bare = Gallery(SqliteRecords.open(tmp_path / "people"))
    bare.add_negatives("person 0", entries=[entry_of(gallery, "person 1")])
    with pytest.raises(GalleryError, match="model"):
        bare.add_negatives("person 0", [people[0][100]])


def test_they_follow_a_merge_unless_it_says_otherwise(gallery, people):
    pictures, _ = people
    gallery.add_negatives("person 0", [pictures[100]], [entry_of(gallery, "person 1")])
    gallery.merge("person 0", "person 1")
    [row] = gallery.negatives()
    assert (row.identity, row.entry) == ("person 1", None)


def test_erasing_somebody_erases_what_did_not_show_them(gallery, people):
    pictures, _ = people
    picture = np.random.default_rng(6).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    [number] = gallery.add_negatives("person 0", [picture])
    [other] = gallery.add_negatives("person 1", [pictures[100]])
    content = gallery.records.negative_bytes(number)
    gallery.erase("person 0")
    assert [row.negative for row in gallery.negatives()] == [other]
    assert gallery.records.find_bytes([part[40:72] for part in content]) == []
    assert gallery.check() == []


def test_a_picture_like_a_negative_example_is_somebody_else(gallery, people):
    """The next best answers, and the words say why; other pictures are answered as before."""
    pictures, _ = people
    others = gallery.search(pictures[3:30:3])
    [before] = gallery.search([pictures[0]], top=30)
    assert before.identity == "person 0"
    [number] = gallery.add_negatives("person 0", [pictures[0]])
    [after] = gallery.search([pictures[0]], top=30)
    assert after.candidates == before.candidates[1:]
    assert after.identity != "person 0"
    [denied] = after.denied
    assert (denied.identity, denied.negative) == ("person 0", number)
    assert denied.score == before.score
    assert denied.negative_score == pytest.approx(1, abs=1e-5)
    assert not lacking(
        after.explanation, "person 0", f"{before.score:.4f}", f"example {number}", "1.0000"
    )
    assert gallery.search(pictures[3:30:3]) == others
    gallery.remove_negatives([number])
    assert gallery.search([pictures[0]], top=30) == [before]


def test_what_is_more_like_the_images_stays(gallery, people):
    pictures, _ = people
    gallery.add_negatives("person 0", [pictures[100]])
    [answer] = gallery.search([pictures[0]])
    assert answer.identity == "person 0"
    assert answer.denied == ()


def test_an_entry_as_negative_example_works_alike(gallery, people):
    pictures, _ = people
    entry = entry_of(gallery, "person 1")
    gallery.merge("person 0", "person 2")
    gallery.add_negatives("person 2", entries=[entry])
    [answer] = gallery.search([pictures[4]], top=30)
    assert answer.identity == "person 1"
    assert [one.identity for one in answer.denied] == ["person 2"]
    assert len(answer.candidates) == 28


def test_there_are_as_many_candidates_as_without(gallery, people):
    pictures, _ = people
    for name in ("person 0", "person 5", "person 9"):
        gallery.add_negatives(name, [pictures[0]])
    [answer] = gallery.search([pictures[0]], top=4)
    assert len(answer.candidates) == 4
    assert {one.identity for one in answer.denied} >= {"person 0"}


def test_strangers_are_accepted_no_more_often(gallery, people):
    pictures, _ = people
    strangers = pictures[90::3]
    before = gallery.search(strangers, rate=0.2)
    accepted = [answer.identity for answer in before if answer.identity is not None]
    for answer, picture in zip(before, strangers, strict=True):
        gallery.add_negatives(answer.candidates[0].identity, [picture])
    after = gallery.search(strangers, rate=0.2)
    assert all(a.p >= b.p for a, b in zip(after, before, strict=True))
    assert len([a for a in after if a.identity is not None]) <= len(accepted)
    assert gallery.check() == []


def test_everybody_may_be_left_out(tmp_path, people):
    pictures, names = people
    small = make_gallery(tmp_path / "small")
    small.add(pictures[:2], names[:2])
    small.add_negatives(names[0], [pictures[2]])
    [answer] = small.search([pictures[2]])
    assert (answer.verdict, answer.score, answer.candidates) == ("nobody", None, ())
    assert not lacking(answer.explanation, names[0])
