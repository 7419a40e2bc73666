from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from promptreid.errors import ConfigError, PromptReIDError, RunError
from promptreid.synth.drawing.fields import band
from promptreid.synth.drawing.solids import ball, paint, tube
from promptreid.synth.people.people import (
    caption,
    domain,
    render_person,
    sample_identity,
    write_people,
)
from promptreid.synth.people.people_domain import SITES
from promptreid.synth.people.people_pose import PersonPose, Projection, skeleton, view_name
from promptreid.synth.people.person_identity import PALETTE, TEXTURES

pytestmark = pytest.mark.slow

NAME = re.compile(r"(-1|\d{4})_c(\d)s(\d+)_(\d{6})_(\d{2})\.jpg")
FOLDERS = ["bounding_box_test", "bounding_box_train", "query"]


def digest(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def listed(root: Path, folder: str) -> list[tuple[str, int]]:
    found = []
    for path in sorted((root / folder).iterdir()):
        match = NAME.fullmatch(path.name)
        assert match, path.name
        found.append((match[1], int(match[2])))
    return found


@pytest.fixture(scope="module")
def campus():
    return domain(0)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("people") / "set"
    assert write_people(out, identities=40, seed=3, images_per_camera=(1, 2)) == out
    return out


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    sites = [domain(index, cameras=2) for index in range(len(SITES))]
    result = []
    for number in range(96):
        person = sample_identity(rng)
        result.append((person, render_person(person, sites[number % len(sites)], number % 2, rng)))
    return result


def test_same_seed_gives_same_bytes_for_any_number_of_workers(tmp_path):
    options = {"identities": 5, "seed": 7, "cameras": 2, "images_per_camera": (1, 1)}
    one = digest(write_people(tmp_path / "one", **options))
    again = digest(write_people(tmp_path / "again", **options))
    two = digest(write_people(tmp_path / "two", workers=2, **options))
    other = digest(write_people(tmp_path / "other", **(options | {"seed": 8})))
    assert one == again == two
    assert not set(one.values()) & set(other.values())


def test_layout_is_that_of_market1501(written):
    assert sorted(path.name for path in written.iterdir()) == FOLDERS
    train, query = listed(written, "bounding_box_train"), listed(written, "query")
    test = listed(written, "bounding_box_test")
    assert len({pid for pid, _ in train}) == 20
    assert len({pid for pid, _ in query}) == 20
    assert not {pid for pid, _ in train} & {pid for pid, _ in query + test}
    assert {pid for pid, _ in test} - {pid for pid, _ in query} == {"0000", "-1"}
    assert sum(pid == "0000" for pid, _ in test) == 40
    assert sum(pid == "-1" for pid, _ in test) == 10
    assert {camera for _, camera in train + query + test} == set(range(1, 7))
    with Image.open(next((written / "query").iterdir())) as picture:
        assert (picture.size, picture.mode, picture.format) == ((64, 128), "RGB", "JPEG")


def test_every_query_is_alone_in_its_camera_and_has_a_match_in_another(written):
    query = listed(written, "query")
    assert len(query) == len(set(query))
    cameras = defaultdict(set)
    for pid, camera in listed(written, "bounding_box_test"):
        cameras[pid].add(camera)
    for pid, camera in query:
        assert cameras[pid] - {camera}
        assert camera in cameras[pid]


def test_colour_thumbnails_do_not_solve_it(written):
    def load(folder: str) -> tuple[np.ndarray, list[tuple[str, int]]]:
        files = sorted((written / folder).iterdir())
        small = [Image.open(file).resize((8, 16), Image.Resampling.BOX) for file in files]
        return np.stack([np.asarray(one, float).ravel() for one in small]), listed(written, folder)

    (query, who), (gallery, whom) = load("query"), load("bounding_box_test")
    hits = 0
    for vector, (pid, camera) in zip(query, who, strict=True):
        distance = ((gallery - vector) ** 2).sum(1)
        distance[[one == (pid, camera) or one[0] in ("-1", "0000") for one in whom]] = np.inf
        hits += whom[int(distance.argmin())][0] == pid
    assert 1 / 20 < hits / len(who) < 0.45


def test_smallest_sets_work(tmp_path):
    seen = []
    one = write_people(
        tmp_path / "one",
        identities=1,
        seed=0,
        cameras=1,
        distractors=0,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(0, 1), (1, 1)]
    assert listed(one, "bounding_box_train")
    assert listed(one, "query") == listed(one, "bounding_box_test") == []
    two = write_people(tmp_path / "two", identities=2, seed=0, cameras=1, size=(32, 16))
    assert len(listed(two, "query")) == 1
    assert {pid for pid, _ in listed(two, "bounding_box_test")} >= {listed(two, "query")[0][0]}


def test_output_folder_is_never_overwritten_and_never_half_written(tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("keep")
    with pytest.raises(RunError, match="not empty"):
        write_people(full, identities=1, seed=0)
    with pytest.raises(RunError, match="is a file"):
        write_people(full / "mine.txt", identities=1, seed=0)
    assert [path.name for path in full.iterdir()] == ["mine.txt"]

    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_people(tmp_path / "new", identities=1, seed=0, cameras=1, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    (tmp_path / "empty").mkdir()
    write_people(tmp_path / "empty", identities=1, seed=0, cameras=1, distractors=0)
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == FOLDERS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"identities": 0}, "identities must be between 1"),
        ({"cameras": 0}, "cameras must be between 1 and 9, but got 0"),
        ({"cameras": 10}, "cameras"),
        ({"images_per_camera": (3, 2)}, "most images per camera must be between 3"),
        ({"distractors": -1}, "distractors"),
        ({"size": (8, 64)}, "height"),
        ({"seed": -1}, "seed"),
        ({"workers": 0}, "workers"),
    ],
)
def test_numbers_out_of_range_are_named(tmp_path, options, words):
    with pytest.raises(ConfigError, match=words):
        write_people(tmp_path / "out", **({"identities": 2, "seed": 0} | options))
    assert not list(tmp_path.iterdir())


def test_wrong_camera_size_or_site_are_named(campus):
    person, rng = sample_identity(np.random.default_rng(0)), np.random.default_rng(0)
    with pytest.raises(ConfigError, match="cameras 0 to 5, but got camera 6"):
        render_person(person, campus, 6, rng)
    with pytest.raises(PromptReIDError, match="at least 16 x 8"):
        render_person(person, campus, 0, rng, size=(8, 8))
    with pytest.raises(ConfigError, match="index -1"):
        domain(-1)


@pytest.mark.parametrize("size", [(128, 64), (64, 32), (256, 128), (64, 64)])
def test_picture_has_the_size_asked_for(campus, size):
    person = sample_identity(np.random.default_rng(1))
    first, second = (
        render_person(person, campus, 2, np.random.default_rng(5), size=size) for _ in range(2)
    )
    assert first.pixels.shape == (*size, 3)
    assert first.pixels.dtype == np.uint8
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert first.pixels.std() > 10


def test_domains_look_unlike_each_other_and_themselves_alike():
    def look(index: int, start: int) -> np.ndarray:
        site = domain(index, seed=1, cameras=2)
        draws = (np.random.default_rng([start, number]) for number in range(8))
        pixels = np.stack(
            [
                render_person(sample_identity(rng), site, number % 2, rng).pixels
                for number, rng in enumerate(draws)
            ]
        ).astype(float)
        return np.concatenate([pixels.mean((0, 1, 2)), pixels.std((1, 2)).mean(0)])

    first = np.stack([look(index, 0) for index in range(len(SITES))])
    second = np.stack([look(index, 1) for index in range(len(SITES))])
    gaps = np.abs(first[:, None] - second[None]).max(-1)
    assert (gaps.argmin(1) == np.arange(len(SITES))).mean() > 0.7
    assert np.diag(gaps).mean() < 0.4 * gaps[~np.eye(len(SITES), dtype=bool)].mean()


def test_later_sites_differ_from_the_first_of_their_kind():
    first, later = domain(0, cameras=1), domain(len(SITES), cameras=1)
    assert (first.name, later.name) == ("sunny campus", "sunny campus 2")
    assert not np.array_equal(first.cameras[0].scene, later.cameras[0].scene)
    again = domain(len(SITES), cameras=1)
    np.testing.assert_array_equal(later.cameras[0].scene, again.cameras[0].scene)


def test_people_share_colours_and_differ_in_detail():
    people = [sample_identity(np.random.default_rng([2, number])) for number in range(200)]
    outfits = [(p.upper.colour, p.lower.colour if p.lower else "") for p in people]
    assert len(set(outfits)) < 100
    assert len({repr(person) for person in people}) == 200
    assert {person.upper.texture for person in people} == set(TEXTURES)
    winter = [sample_identity(np.random.default_rng(n), season="winter") for n in range(60)]
    assert not {p.upper.kind for p in winter} & {"t-shirt", "tank top"}


def test_captions_say_only_what_the_picture_holds(pictures):
    rng = np.random.default_rng(1)
    vocabulary: set[str] = set()
    short = named = 0
    for person, picture in pictures:
        seen = picture.attributes
        for _ in range(12):
            text = caption(person, picture, rng)
            words = text.replace(",", "").split()
            vocabulary.update(words)
            assert text.isascii()
            assert len(words) <= 30
            assert ("woman" in words) <= (seen["gender"] == "woman")
            assert ("man" in words) <= (seen["gender"] == "man")
            for key in ("upper_type", "lower_type", "bag", "shoes", "hat"):
                others = {p.attributes[key] for _, p in pictures} - {seen[key], ""}
                # "shirt" and "hat" are also parts of other garments' names.
                said = [other for other in others if re.search(rf"(?<![-\w]){other}\b", text)]
                assert not said, (text, seen)
            for colour in PALETTE:
                if colour in words:
                    named += 1
                    assert any(colour in value.split() for value in seen.values()), (text, seen)
            if "behind" in words:
                assert seen["view"] == "back"
            short += len(words) <= 6
            assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text), text
    assert len(vocabulary) < 400
    assert named > 500
    assert short > 10


def test_hidden_things_are_left_out_of_the_attributes(pictures):
    for person, picture in pictures:
        seen = picture.attributes
        if person.logo and person.logo.place == "back":
            assert bool(seen["logo"]) == (seen["view"] == "back")
        if seen["view"] == "back":
            assert seen["glasses"] == ""
        assert seen["upper_colour"] == person.upper.colour
        assert (seen["lower_type"] == "") == (person.upper.kind == "dress")
    assert {picture.attributes["view"] for _, picture in pictures} == {
        "front", "back", "left", "right",
    }  # fmt: skip
    assert {picture.attributes["shoes"] for _, picture in pictures} >= {"", "shoes"}


def test_skeleton_stands_on_the_ground_and_turns_with_the_yaw():
    person = sample_identity(np.random.default_rng(4))
    pose = PersonPose(0.0, 0.0, 1.0, 0.4, ("swing", "swing"), 0.3, 0.0)
    joints = skeleton(person, pose)
    assert 0 <= min(y for _, y, _ in joints.values()) < 0.1 * person.height
    assert joints["head"][1] == pytest.approx(person.height * 0.924, abs=0.12)
    left = (0.2, 1.0, 0.0)
    assert Projection(0.0, 0.0, 100.0, (50.0, 200.0)).point(left) == pytest.approx((70.0, 100.0))
    assert Projection(np.pi, 0.0, 100.0, (50.0, 200.0)).point(left) == pytest.approx((30.0, 100.0))
    ahead = (0.0, 1.0, 0.2)
    assert Projection(np.pi / 2, 0.0, 100.0, (50.0, 200.0)).point(ahead)[0] == pytest.approx(70.0)
    names = [view_name(yaw) for yaw in (0.1, np.pi, np.pi / 2, -np.pi / 2)]
    assert names == ["front", "back", "right", "left"]


def test_tube_covers_the_area_of_its_profile():
    patch = tube((60, 60), (30, 10), (30, 50), [(0.0, 4.0), (1.0, 8.0)], caps=(0.0, 0.0))
    assert patch is not None
    assert patch.alpha.sum() == pytest.approx(2 * 6.0 * 40, rel=0.05)
    middle = 30 - patch.columns.start
    assert patch.nz[20, middle] == pytest.approx(1.0)
    assert patch.u[20, middle + 3] > 0 > patch.u[20, middle - 3]
    assert tube((60, 60), (-40, 10), (-40, 50), [(0.0, 4.0)]) is None


def test_ball_and_paint_lay_colour_where_they_cover():
    canvas = np.zeros((40, 40, 3), np.float32)
    paint(canvas, ball((40, 40), (20, 20), (8, 12)), (100, 50, 20))
    assert canvas[..., 0].sum() / 100 == pytest.approx(np.pi * 8 * 12, rel=0.03)
    np.testing.assert_allclose(canvas[20, 20], (100, 50, 20))
    assert canvas[0].max() == 0
    paint(canvas, None, (255, 255, 255))
    assert canvas.max() == 100
    np.testing.assert_allclose(band(np.array([-1.0, 0.0, 1.0]), 0.0, 1.0), [0.0, 0.5, 1.0])
