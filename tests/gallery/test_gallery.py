"""A gallery as programs use it."""

import sqlite3
import threading
from dataclasses import replace

import numpy as np
import pytest
from facts import lacking
from gallery_model import PixelModel, draw_people, make_gallery, open_gallery

from promptreid.data.load_data import load_data
from promptreid.errors import GalleryError, WeightsError
from promptreid.gallery.enrolment import list_images
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_errors import ChangedSinceError, NotEnrolledError
from promptreid.gallery.gallery_settings import GallerySettings
from promptreid.gallery.records.sqlite.sealed_vectors import seal_bytes
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.gallery.records.sqlite.sqlite_schema import FILE
from promptreid.gallery.searching.aggregate import Aggregate
from promptreid.gallery.searching.filters import Filters, parse_time
from promptreid.gallery.searching.nobody import p_values
from promptreid.gallery.upkeep.gallery_facts import read_facts
from promptreid.gallery.vector_model import GalleryImage


@pytest.fixture(scope="module")
def people():
    return draw_people(40, 3)


@pytest.fixture
def gallery(tmp_path, people):
    """Thirty of forty people, with two of their three images."""
    pictures, names = people
    made = make_gallery(tmp_path / "people")
    rows = [row for row in range(90) if row % 3]
    made.add([pictures[row] for row in rows], [names[row] for row in rows])
    return made


def test_answers_are_those_of_a_plain_product(gallery, people):
    pictures, names = people
    model = PixelModel()
    enrolled = [row for row in range(90) if row % 3]
    vectors = model.vectors([GalleryImage(pictures[row]) for row in enrolled])
    queries = model.vectors([GalleryImage(picture) for picture in pictures[::3]])
    null = [row.score for row in gallery.records.null_rows()]
    answers = gallery.search(pictures[::3], top=30, rate=0.1)
    for query, answer in zip(queries, answers, strict=True):
        best = {}
        for row, score in zip(enrolled, vectors @ query, strict=True):
            best[names[row]] = max(best.get(names[row], -1), score)
        expected = sorted(best, key=best.get, reverse=True)
        assert [candidate.identity for candidate in answer.candidates] == expected
        scores = [best[name] for name in expected]
        assert [c.score for c in answer.candidates] == pytest.approx(scores, abs=1e-5)
        assert answer.p == p_values([answer.score], null)[0]
        assert answer.runner_up == expected[1]
        assert answer.gap == pytest.approx(scores[0] - scores[1], abs=1e-5)
        assert answer.identities == 30
        assert (answer.identity is not None) == (answer.p <= 0.1)


def test_people_are_recognised_and_strangers_are_nobody(gallery, people):
    pictures, names = people
    answers = gallery.search(pictures[::3], rate=0.1)
    right = [a.identity == name for a, name in zip(answers[:30], names[::3], strict=False)]
    assert np.mean(right) > 0.9
    assert [answer.verdict for answer in answers[30:]].count("nobody") >= 8


def test_a_rate_that_cannot_be_promised_is_not_guessed_at(gallery, people):
    [answer] = gallery.search(people[0][:1], rate=0.01)
    assert (answer.verdict, answer.identity) == ("undecided", None)
    assert not lacking(answer.explanation, "30", "6.5", "1", "199")
    with pytest.raises(GalleryError, match="between 0 and 1"):
        gallery.search(people[0][:1], rate=5)


def test_the_same_content_is_enrolled_once_and_other_names_are_told(gallery, people):
    pictures, names = people
    told = gallery.add([pictures[1], pictures[0]], ["somebody else", names[0]])
    assert (told.added, told.present) == (1, 1)
    [conflict] = told.conflicts
    assert (conflict.enrolled, conflict.given) == (names[1], "somebody else")
    assert "somebody else" not in [row.name for row in gallery.identities()]


def test_what_another_process_writes_is_seen_by_the_next_search(gallery, people, tmp_path):
    pictures, names = people
    gallery.search(pictures[:1])
    other = open_gallery(tmp_path / "people")
    other.add(pictures[90:92], names[90:92])
    other.erase(names[0])
    [answer] = gallery.search([pictures[90]], top=40)
    assert answer.candidates[0].identity == names[90]
    assert names[0] not in {candidate.identity for candidate in answer.candidates}
    assert answer.identities == 30


def test_writers_and_readers_get_along(tmp_path):
    pictures, names = draw_people(24, 4, seed=3)
    make_gallery(tmp_path / "busy").add(pictures[:8], names[:8])
    wrong: list[object] = []

    def write(start):
        own = open_gallery(tmp_path / "busy")
        for row in range(start, len(pictures), 2):
            own.add([pictures[row]], [names[row]])

    def read():
        own = open_gallery(tmp_path / "busy")
        for _ in range(40):
            [answer] = own.search(pictures[:1])
            if answer.candidates[0].identity != names[0] or answer.candidates[0].score < 0.999:
                wrong.append(answer)

    threads = [threading.Thread(target=write, args=(start,)) for start in (8, 9)]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    merged = open_gallery(tmp_path / "busy")
    assert merged.info().entries == len(pictures)
    assert merged.check() == []


def test_one_object_may_be_used_by_several_threads(gallery, people):
    pictures, names = people
    wrong: list[object] = []

    def use(number):
        for step in range(10):
            row = 90 + 10 * number + step
            gallery.add([pictures[row]], [names[row]])
            [answer] = gallery.search([pictures[row]])
            if answer.candidates[0].identity != names[row]:
                wrong.append(answer)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert gallery.check() == []


def test_another_models_vectors_are_refused(gallery, tmp_path):
    with pytest.raises(GalleryError) as caught:
        open_gallery(tmp_path / "people", seed=7)
    first, second = PixelModel(0), PixelModel(7)
    assert not lacking(str(caught.value), first.fingerprint[:16], second.fingerprint[:16])


def test_without_a_model_everything_but_embedding_works(gallery, tmp_path, people):
    bare = Gallery(SqliteRecords.open(tmp_path / "people"))
    bare.merge("person 1", "person 2")
    bare.hide("person 3")
    bare.name("person 4", "Dora")
    assert bare.check() == []
    for use in (lambda: bare.search(people[0][:1]), lambda: bare.add(people[0][:1], ["x"])):
        with pytest.raises(GalleryError, match="model"):
            use()
    with pytest.raises(WeightsError):
        gallery.verify(people[0][0], people[0][1])


def test_hidden_images_answer_nothing_until_they_are_unhidden(gallery, people):
    [before] = gallery.search([people[0][0]])
    assert gallery.hide("person 0") == 2
    [hidden] = gallery.search([people[0][0]], top=40)
    assert "person 0" not in {candidate.identity for candidate in hidden.candidates}
    assert hidden.identities == 29
    assert gallery.info().hidden == 2
    assert read_facts(gallery.records) == gallery.info()
    gallery.unhide("person 0")
    assert gallery.search([people[0][0]]) == [before]


def test_merging_and_splitting_undo_each_other(gallery, people):
    [before] = gallery.search([people[0][0]])
    moved = [row.entry for row in gallery.entries("person 0")]
    gallery.merge("person 0", "person 1")
    [merged] = gallery.search([people[0][0]])
    assert merged.candidates[0].identity == "person 1"
    gallery.split("person 1", moved, "person 0")
    [after] = gallery.search([people[0][0]])
    assert (after.identity, after.score, after.p) == (before.identity, before.score, before.p)


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        (lambda g: g.merge("person 1", "person 1"), ["person 1"]),
        (lambda g: g.merge("nobody", "person 1"), ["nobody"]),
        (lambda g: g.split("person 1", [], "new"), ["person 1"]),
        (lambda g: g.split("person 1", [1], "new"), ["person 1", "[1]"]),
        (lambda g: g.split("person 0", [1, 2], "new"), ["person 0"]),
        (lambda g: g.split("person 0", [1], "person 1"), ["person 1", "merge"]),
        (lambda g: g.name("person 1", "person 2"), ["person 2", "merge"]),
        (lambda g: g.name("person 1", "  "), ["empty"]),
        (lambda g: g.hide("person 1", entries=[1]), ["identity", "entries"]),
        (lambda g: g.hide(), ["identity", "entries"]),
        (lambda g: g.erase(entries=[4711]), ["4711"]),
        (lambda g: g.add([np.zeros((8, 8, 3), np.uint8)], []), ["1 images", "0 identities"]),
        (lambda g: g.search([np.ones((8, 8, 3), np.uint8)],
                            filters=Filters(identities=["person 99"])), ["person 99"]),
    ],
)  # fmt: skip
def test_mistakes_are_told_and_change_nothing(gallery, change, facts):
    before = list(gallery.records.entries()), gallery.identities()
    with pytest.raises(GalleryError) as caught:
        change(gallery)
    assert not lacking(str(caught.value), *facts)
    after = list(gallery.records.entries()), gallery.identities()
    assert [row for row, _ in after[0]] == [row for row, _ in before[0]]
    assert after[1] == before[1]
    assert gallery.check() == []


@pytest.mark.parametrize("change", ["name", "note", "merge", "split", "hide", "unhide", "erase"])
def test_what_was_changed_since_it_was_seen_is_not_changed_again(gallery, change):
    seen = gallery.records.identity("person 0").version
    gallery.note("person 0", "noted elsewhere")
    changes = {
        "name": lambda: gallery.name("person 0", "new", seen=seen),
        "note": lambda: gallery.note("person 0", "new", seen=seen),
        "merge": lambda: gallery.merge("person 0", "person 1", seen=seen),
        "split": lambda: gallery.split("person 0", [1], "new", seen=seen),
        "hide": lambda: gallery.hide("person 0", seen=seen),
        "unhide": lambda: gallery.unhide("person 0", seen=seen),
        "erase": lambda: gallery.erase("person 0", seen=seen),
    }
    with pytest.raises(ChangedSinceError, match="changed since"):
        changes[change]()
    assert gallery.records.identity("person 0").note == "noted elsewhere"


def test_an_identity_is_named_by_its_number_too(gallery):
    row = gallery.identity("person 0")
    assert gallery.identity(row.identity) == row
    assert gallery.entries(row.identity) == gallery.entries("person 0")
    gallery.name(row.identity, "7", seen=row.version)
    gallery.merge(row.identity, gallery.identity("person 1").identity)
    assert "7" not in [one.name for one in gallery.identities()]
    with pytest.raises(NotEnrolledError, match=str(row.identity)):
        gallery.hide(row.identity)


def test_each_image_is_told_the_entry_that_holds_it(gallery, people):
    pictures, names = people
    told = gallery.add([pictures[90], pictures[1], pictures[90]], [names[90], names[1], names[90]])
    assert [image.is_new for image in told.images] == [True, False, False]
    assert [image.identity for image in told.images] == [names[90], names[1], names[90]]
    first, second, third = (image.entry for image in told.images)
    assert first == third
    assert [row.entry for row in gallery.entries(names[90])] == [first]
    assert second in [row.entry for row in gallery.entries(names[1])]
    assert gallery.entry_rows([second])[0].content_hash == gallery.picture(second).content_hash


def test_conditions_leave_out_what_does_not_meet_them(tmp_path):
    pictures, names = draw_people(20, 4, seed=2)
    gallery = make_gallery(tmp_path / "marked")
    images = [
        GalleryImage(
            picture,
            camera=f"c{row % 3}" if row % 7 else None,
            time=float(row) if row % 5 else None,
            domain=f"site {row % 2}",
            attributes={"coat": ("red", "blue", "green")[row % 3]},
        )
        for row, picture in enumerate(pictures)
    ]
    gallery.add(images, names)
    by_entry = {row.entry: row for row, _ in gallery.records.entries()}
    numbers = {row.name: row.identity for row in gallery.identities()}
    conditions = [
        (Filters(identities=("person 1", "person 2")),
         lambda row: row.identity in (numbers["person 1"], numbers["person 2"])),
        (Filters(cameras=("c1", "c2")), lambda row: row.camera in ("c1", "c2")),
        (Filters(domains=("site 1",)), lambda row: row.domain == "site 1"),
        (Filters(since=10, until=40), lambda row: row.time is not None and 10 <= row.time <= 40),
        (Filters(attributes={"coat": ("red", "green")}),
         lambda row: row.attributes["coat"] in ("red", "green")),
        (Filters(other_cameras=True), lambda row: row.camera != "c1"),
        (Filters(cameras=("unheard of",)), lambda row: False),
    ]  # fmt: skip
    query = replace(images[3], camera="c1")
    for filters, meets in conditions:
        expected = {entry for entry, row in by_entry.items() if meets(row)}
        [nearest] = gallery.nearest([query], top=1000, filters=filters)
        assert {neighbour.entry for neighbour in nearest} == expected
        [answer] = gallery.search([query], top=1000, filters=filters)
        shown = {by_entry[entry].identity for entry in expected}
        assert {numbers[candidate.identity] for candidate in answer.candidates} == shown
        assert {candidate.entry for candidate in answer.candidates} <= expected
        if not expected:
            assert (answer.verdict, answer.score, answer.p) == ("nobody", None, 1.0)
    assert [n.score for n in nearest] == sorted((n.score for n in nearest), reverse=True)


@pytest.mark.parametrize("aggregate", ["mean-of-2", "mean-vector"])
def test_means_under_conditions_are_compared_with_means_under_the_same(tmp_path, aggregate):
    """A mean over fewer images may score higher; so may that of the null sample."""
    gallery = make_gallery(tmp_path / "means", aggregate=aggregate)
    pictures, names = draw_people(30, 4, seed=4, noise=70)
    images = [GalleryImage(picture, camera=f"c{row % 4}") for row, picture in enumerate(pictures)]
    gallery.add(images, names)
    filters = Filters(cameras=("c1",))
    alone = make_gallery(tmp_path / "alone", aggregate=aggregate)
    rows = [row for row in range(120) if row % 4 == 1]
    alone.add([images[row] for row in rows], [names[row] for row in rows])
    asked, _ = draw_people(1, 1, seed=5, noise=70)  # nobody's score, so that nothing ties
    [narrowed] = gallery.search(asked, filters=filters)
    [plain] = alone.search(asked)
    assert narrowed.score == pytest.approx(plain.score, abs=1e-6)
    vectors = {row.entry: vector for row, vector in gallery.records.entries()}
    images = {row.name: gallery.entries(row.name) for row in gallery.identities()}
    null = []
    for row in gallery.records.null_rows():
        scores = []
        for shown in images.values():
            if shown[0].identity == row.identity:
                continue
            seen = [vectors[one.entry] for one in shown if one.camera == "c1"]
            mean = np.mean(seen, axis=0)
            scores.append(vectors[row.entry] @ mean / np.linalg.norm(mean))
            if aggregate == "mean-of-2":
                scores[-1] = np.mean(sorted(vectors[row.entry] @ one for one in seen)[-2:])
        null.append(max(scores))
    assert narrowed.p == p_values([narrowed.score], null)[0]


def test_check_finds_what_is_wrong_and_mend_what_can_be_mended(gallery, tmp_path):
    entry = gallery.entries("person 5")[0].entry
    gallery.close()

    def spoil(statement, *values):
        with sqlite3.connect(tmp_path / "people" / FILE) as connection:
            connection.execute(statement, values)
            connection.execute("UPDATE facts SET value = value + 1 WHERE key = 'revision'")
        connection.close()
        return Gallery(SqliteRecords.open(tmp_path / "people"))

    spoilt = spoil(
        "UPDATE null_sample SET score = 0.1 WHERE entry = (SELECT min(entry) FROM null_sample)"
    )
    [finding] = spoilt.check()
    assert "null sample" in finding.problem
    assert "--mend" in finding.remedy
    spoilt.mend()
    assert spoilt.check() == []
    spoilt.close()
    for statement, facts in (
        ("UPDATE crops SET content = x'00112233' WHERE entry = ?", [f"Entry {entry}"]),
        (
            f"UPDATE vectors SET vector = x'{seal_bytes(bytes(128)).hex()}' WHERE entry = ?",
            [f"Entry {entry}", "0"],
        ),
        ("DELETE FROM vectors WHERE entry = ?", [f"Entry {entry}", "no vector"]),
    ):
        problems = spoil(statement, entry).check()
        assert not lacking(problems[0].problem, *facts)
        assert "erase" in problems[0].remedy


def test_what_is_exported_makes_the_same_gallery(gallery, tmp_path, people):
    gallery.add(
        [GalleryImage(people[0][100], camera="c,1", time=1e9, attributes={"coat": "red"})],
        ['Zoë "Z" O\'Neil'],
    )
    written = gallery.export(tmp_path / "out")
    assert (written.images, written.elsewhere) == (61, 0)
    images, names = list_images(load_data(f"csv:{written.table}").manifest)
    assert sorted(names) == sorted(
        row.name for row in gallery.identities() for _ in range(row.entries)
    )
    [last] = [image for image in images if image.camera]
    assert (last.camera, last.time, last.attributes) == ("c,1", 1e9, {"coat": "red"})
    with pytest.raises(GalleryError, match="not empty"):
        gallery.export(tmp_path / "out")
    one = gallery.export(tmp_path / "one", "person 3")
    assert one.images == 2


def test_files_are_kept_as_they_are_or_as_paths(crops, tmp_path):
    class FileModel(PixelModel):
        def vectors(self, images):
            sizes = [[image.pixels.path.stat().st_size, 1] for image in images]
            vectors = np.array(sizes, np.float32) @ np.ones((2, 32), np.float32)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    images, names = list_images(load_data(f"folder:{crops}").manifest)
    for keep in ("crops", "paths"):
        settings = GallerySettings(Aggregate(), keep)
        records = SqliteRecords.create(tmp_path / keep, settings.to_texts())
        gallery = Gallery(records, FileModel())
        gallery.add(images[:10], names[:10])
        picture = records.picture(1)
        assert picture.path == str(images[0].pixels.path)
        content = images[0].pixels.path.read_bytes()
        assert picture.crop == (content if keep == "crops" else None)
        assert gallery.check() == []


def test_times_are_read_in_utc_unless_they_name_a_zone():
    assert parse_time("12.5") == 12.5
    assert parse_time("1970-01-02") == 86400
    assert parse_time("1970-01-01T01:00+01:00") == 0
    for text in ("yesterday", "nan", "1e300", "-1e11", ""):
        with pytest.raises(GalleryError, match="no time"):
            parse_time(text)


def test_an_export_that_fails_leaves_no_folder(gallery, tmp_path):
    gallery.records.execute("UPDATE crops SET content = x'00' WHERE entry = 60")
    with pytest.raises(GalleryError) as caught:
        gallery.export(tmp_path / "out")
    assert not lacking(str(caught.value), "entry 60", "damaged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["people"]


def test_a_gallery_that_does_not_fit_is_let_go(gallery, tmp_path, monkeypatch):
    gallery.close()
    closed = []
    monkeypatch.setattr(SqliteRecords, "close", lambda self: closed.append(self.place))
    monkeypatch.setattr("promptreid.gallery.embedder_model.EmbedderModel", lambda given: given)
    with pytest.raises(GalleryError, match="another gallery"):
        Gallery.open(tmp_path / "people", PixelModel(seed=1))
    with pytest.raises(GalleryError, match="nonsense"):
        Gallery.open(tmp_path / "people", index="nonsense")
    assert closed == [str(tmp_path / "people")] * 2


def test_what_is_erased_while_it_is_looked_for_is_enrolled_again(gallery, people, monkeypatch):
    """Another process erases an entry between two readings, which are of one moment therefore."""
    other = open_gallery(gallery.records._folder)
    find, entry = gallery.records.find_known, 1

    def find_and_lose(hashes):
        known = find(hashes)
        with other.records.writing():
            other.records.delete([entry])
        monkeypatch.undo()
        return known

    monkeypatch.setattr(gallery.records, "find_known", find_and_lose)
    done = gallery.add([people[0][1]], [people[1][1]])
    assert (done.added, done.present, done.images[0].entry) == (0, 1, entry)


def test_checking_passes_over_what_another_process_erases_meanwhile(tmp_path, monkeypatch):
    gallery = make_gallery(tmp_path / "people")
    gallery.add(*draw_people(3, 2))
    gallery.add_negatives("person 0", draw_people(1, 2, seed=9)[0])
    other, read = open_gallery(tmp_path / "people"), SqliteRecords.picture

    def erase_first(records, entry):
        monkeypatch.setattr(SqliteRecords, "picture", read)
        other.erase(entries=[entry])
        other.remove_negatives([1])
        return read(records, entry)

    monkeypatch.setattr(SqliteRecords, "picture", erase_first)
    assert gallery.check() == []
    assert gallery.count() == (3, 5)
