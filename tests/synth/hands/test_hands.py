from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from promptreid.errors import RunError
from promptreid.synth.hands.hand_pose import sample_pose
from promptreid.synth.hands.hand_set import COLUMNS, person
from promptreid.synth.hands.hand_shape import frame
from promptreid.synth.hands.hand_skin import skin_tint
from promptreid.synth.hands.hands import (
    ASPECTS,
    HandIdentity,
    Skin,
    caption,
    paint_skin,
    render_hand,
    sample_identity,
    write_hands,
)

THRESHOLDS = {
    "dorsal right": 1050,
    "dorsal left": 1037,
    "palmar right": 1051,
    "palmar left": 1042,
}
PLAIN = Skin(
    palm=np.full((308, 224, 4), 0.5, np.float32) * np.array([1, 1, 1, 0], np.float32),
    fingers=np.full((132, 220, 4), 0.5, np.float32) * np.array([1, 1, 1, 0], np.float32),
)


def rng(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "HandInfo.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hands") / "set"
    return write_hands(out, identities=5, seed=11, images_per_aspect=(2, 3), size=40)


def test_same_seed_same_bytes_whatever_the_workers(small_set: Path, tmp_path: Path) -> None:
    again = write_hands(
        tmp_path / "two", identities=5, seed=11, images_per_aspect=(2, 3), size=40, workers=2
    )
    assert digest(again) == digest(small_set)


def test_other_seed_other_people(small_set: Path, tmp_path: Path) -> None:
    other = write_hands(
        tmp_path / "other", identities=5, seed=12, images_per_aspect=(2, 3), size=40
    )
    here, there = digest(small_set), digest(other)
    assert not set(here.values()) & set(there.values())
    assert person(11, 0) != person(12, 0)
    assert person(11, 0) == person(11, 0)


def test_people_do_not_depend_on_how_many_there_are(small_set: Path, tmp_path: Path) -> None:
    one = write_hands(tmp_path / "one", identities=1, seed=11, images_per_aspect=(2, 2), size=40)
    rows = table(one)
    assert len(rows) == 8
    assert {row["aspectOfHand"] for row in rows} == set(ASPECTS)
    first = Image.open(one / "Hands" / rows[0]["imageName"])
    there = Image.open(small_set / "Hands" / table(small_set)[0]["imageName"])
    assert np.array_equal(np.asarray(first), np.asarray(there))


def test_layout_and_columns(small_set: Path) -> None:
    assert sorted(p.name for p in small_set.iterdir()) == ["HandInfo.csv", "Hands"]
    lines = (small_set / "HandInfo.csv").read_text().splitlines()
    assert lines[0] == (
        "id,age,gender,skinColor,accessories,nailPolish,aspectOfHand,imageName,irregularities"
    )
    assert lines[0] == ",".join(COLUMNS)
    cells = lines[1].split(",")
    assert [cell.startswith('"') for cell in cells] == [
        *(True, False, True, True, False, False, True, True, False)
    ]
    rows = table(small_set)
    assert sorted(row["imageName"] for row in rows) == sorted(
        p.name for p in (small_set / "Hands").iterdir()
    )
    assert len({row["imageName"] for row in rows}) == len(rows)
    for row in rows:
        assert len(row["id"]) == 7
        assert row["id"].isdigit()
        assert row["aspectOfHand"] in ASPECTS
        assert row["gender"] in ("male", "female")
        assert row["skinColor"] in ("very fair", "fair", "medium", "dark")
        assert 18 <= int(row["age"]) <= 75
        assert {row["accessories"], row["nailPolish"], row["irregularities"]} <= {"0", "1"}
        with Image.open(small_set / "Hands" / row["imageName"]) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (40, 40))


@pytest.mark.parametrize("identities", [1, 2, 5])
def test_ids_are_cut_in_half_by_every_threshold(identities: int, tmp_path: Path) -> None:
    out = write_hands(
        tmp_path / "set", identities=identities, seed=3, images_per_aspect=(1, 1), size=16
    )
    rows = table(out)
    for aspect, threshold in THRESHOLDS.items():
        ids = [int(row["id"]) for row in rows if row["aspectOfHand"] == aspect]
        assert len(set(ids)) == identities
        assert sum(number <= threshold for number in ids) == (identities + 1) // 2
    order = [int(row["id"]) for row in rows]
    assert order == sorted(order)
    assert not any(1037 < number < 1051 for number in order)


def test_every_person_has_pictures_without_accessories(small_set: Path) -> None:
    bare: dict[tuple[str, str], int] = {}
    for row in table(small_set):
        key = (row["id"], row["aspectOfHand"])
        bare[key] = bare.get(key, 0) + (row["accessories"] == "0")
    assert min(bare.values()) >= 2


def test_progress_is_told_before_the_first_person_and_after_every_one(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_hands(
        tmp_path / "set",
        identities=3,
        seed=0,
        images_per_aspect=(1, 1),
        size=16,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        write_hands(tmp_path, identities=1, seed=0)
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    out = tmp_path / "set"
    out.mkdir()
    write_hands(out, identities=1, seed=0, images_per_aspect=(1, 1), size=16)
    assert len(table(out)) == 4


def test_nothing_is_left_behind_when_it_is_interrupted(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_hands(
            tmp_path / "set",
            identities=2,
            seed=0,
            images_per_aspect=(1, 1),
            size=16,
            progress=stop,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"identities": 0}, "1 to 2000 identities; got 0"),
        ({"identities": 2001}, "got 2001"),
        ({"seed": -1}, "seed must be 0 or more; got -1"),
        ({"images_per_aspect": (3, 2)}, r"got \(3, 2\)"),
        ({"images_per_aspect": (0, 2)}, r"got \(0, 2\)"),
        ({"size": 8}, "at least 16 pixels; got 8"),
        ({"workers": 0}, "got 0"),
    ],
)
def test_wrong_numbers_are_refused_in_words(change: dict, words: str, tmp_path: Path) -> None:
    out = tmp_path / "set"
    with pytest.raises(RunError, match=words):
        write_hands(out, **({"identities": 1, "seed": 0} | change))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("")
    with pytest.raises(RunError, match="is a file"):
        write_hands(tmp_path / "set", identities=1, seed=0)


def test_unknown_aspect_names_the_closest() -> None:
    with pytest.raises(RunError, match="Did you mean 'dorsal right'"):
        render_hand(person(0, 0), "dorsal rigth", rng(0))
    with pytest.raises(RunError, match="16 pixels"):
        render_hand(person(0, 0), "dorsal right", rng(0), size=(64, 8))


def test_pictures_are_deterministic_and_shaped() -> None:
    identity = person(5, 1)
    first = render_hand(identity, "palmar left", rng(1), size=(96, 64))
    again = render_hand(identity, "palmar left", rng(1), size=(96, 64))
    assert first.pixels.shape == (96, 64, 3)
    assert first.pixels.dtype == np.uint8
    assert np.array_equal(first.pixels, again.pixels)
    assert first.attributes == again.attributes
    skin = paint_skin(identity, "palmar left")
    given = render_hand(identity, "palmar left", rng(1), size=(96, 64), skin=skin)
    assert np.array_equal(first.pixels, given.pixels)


def _handedness(aspect: str, seed: int) -> float:
    """Find the turn from thumb to little finger, seen from the palm: positive when leftwards."""
    skin = Skin(PLAIN.palm.copy(), PLAIN.fingers.copy())
    skin.palm[..., :3] = (0.05, 0.05, 0.8)
    skin.fingers[..., :3] = (0.05, 0.05, 0.8)
    skin.fingers[:, :44, :3] = (0.05, 0.8, 0.05)  # thumb green
    skin.fingers[:, 176:, :3] = (0.8, 0.05, 0.05)  # little finger red
    identity = replace(person(2, seed), polish="", ring=None, wristwear="")
    pixels = render_hand(identity, aspect, rng(seed, 9), size=96, skin=skin).pixels.astype(int)
    strongest = pixels.argmax(axis=2)
    pure = pixels.max(axis=2) - np.sort(pixels, axis=2)[..., 1] > 50
    spots = []
    for channel in (1, 0, 2):
        y, x = np.nonzero(pure & (strongest == channel))
        spots.append(np.array([np.median(x), -np.median(y)]))
    thumb, little = spots[0] - spots[2], spots[1] - spots[2]
    return thumb[0] * little[1] - thumb[1] * little[0]


@pytest.mark.parametrize("seed", range(4))
def test_thumbs_are_on_the_right_side(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "promptreid.synth.hands.hand_picture._background",
        lambda size, *_: (np.ones((*size, 3), np.float32), "white"),
    )
    # Fingers up, the back of a right hand has its thumb at the left: clockwise to the little one.
    turns = {aspect: _handedness(aspect, seed) for aspect in ASPECTS}
    assert turns["dorsal right"] < 0
    assert turns["palmar left"] < 0
    assert turns["dorsal left"] > 0
    assert turns["palmar right"] > 0


def test_hands_of_one_person_share_skin_but_not_lines() -> None:
    people = [person(7, index) for index in range(12)]
    for identity in people:
        sides = [paint_skin(identity, aspect) for aspect in ASPECTS[:2]]
        assert not np.allclose(sides[0].palm, sides[1].palm, atol=0.02)
        means = [side.palm[..., :3].mean(axis=(0, 1)) for side in sides]
        assert np.abs(means[0] - means[1]).max() < 0.03
        assert len({surface.seed for surface in identity.surfaces}) == 4
    tints = np.array([skin_tint(identity, palmar=False) for identity in people])
    assert tints.std(axis=0).max() > 0.08
    bones = np.array([identity.bones for identity in people]).reshape(12, -1)
    assert (bones.std(axis=0) / bones.mean(axis=0)).min() > 0.03


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("size", [(96, 96), (96, 128)])
def test_fingertips_stay_in_the_picture(mirrored: bool, size: tuple[int, int]) -> None:
    inside = []
    for k in range(40):
        ratio = size[1] / size[0]
        pose = sample_pose(person(6, k), rng(k), mirrored=mirrored, ratio=ratio)
        place = frame(pose, size, mirrored=mirrored)
        for chain in pose.chains:
            x, y = chain.points[-1]
            inside.append(np.hypot(place.x - x, place.y - y).min() < 1.5 / place.unit)
    assert np.mean(inside) > 0.98


def test_skin_belongs_to_the_person_and_aspect() -> None:
    identity, other = person(7, 0), person(7, 1)
    first = paint_skin(identity, "palmar right")
    assert np.array_equal(first.palm, paint_skin(identity, "palmar right").palm)
    assert not np.allclose(first.palm, paint_skin(other, "palmar right").palm, atol=0.02)
    assert np.isfinite(first.palm).all()
    assert first.palm[..., :3].min() >= -0.05
    assert first.palm[..., :3].max() <= 1.2


def test_a_mole_darkens_its_place_only() -> None:
    identity = person(7, 3)
    surface = replace(identity.surfaces[0], marks=())
    clean = replace(identity, surfaces=(surface, *identity.surfaces[1:]), freckles=0.0)
    moles = [mark for k in range(40) for mark in person(7, k).surfaces[0].marks]
    mole = next(mark for mark in moles if mark.kind == "mole" and mark.finger < 0)
    marked = replace(clean, surfaces=(replace(surface, marks=(mole,)), *identity.surfaces[1:]))
    before, after = paint_skin(clean, ASPECTS[0]).palm, paint_skin(marked, ASPECTS[0]).palm
    column, row = round((mole.at[0] + 0.9) * 140), round((1.3 - mole.at[1]) * 140)
    assert after[row, column, :3].sum() < 0.6 * before[row, column, :3].sum()
    changed = np.argwhere(np.abs(before - after).max(axis=2) > 0.01)
    assert np.abs(changed - [row, column]).max() <= 6


def test_pictures_of_one_hand_vary_in_everything_around_it() -> None:
    identity = person(4, 2)
    skin = paint_skin(identity, "dorsal right")
    seen = [render_hand(identity, "dorsal right", rng(1, k), size=32, skin=skin) for k in range(40)]
    for name in ("background", "light", "spread"):
        assert len({picture.attributes[name] for picture in seen}) >= 3
    whites = [picture.attributes["background"] == "white" for picture in seen]
    assert np.mean(whites) > 0.5
    assert len({picture.pixels.tobytes() for picture in seen}) == 40
    means = np.array([picture.pixels.mean() for picture in seen])
    assert means.std() > 8
    same = {(p.attributes["age"], p.attributes["skinColor"], p.attributes["gender"]) for p in seen}
    assert len(same) == 1


def test_untrained_pixels_do_not_tell_people_apart() -> None:
    pixels, who = [], []
    for index in range(24):
        skin = paint_skin(person(1, index), "dorsal right")
        for k in range(4):
            picture = render_hand(
                person(1, index), "dorsal right", rng(index, k), size=64, skin=skin
            )
            image = Image.fromarray(picture.pixels).convert("L").resize((32, 32))
            pixels.append(np.asarray(image, np.float64).ravel())
            who.append(index)
    vectors, labels = np.array(pixels), np.array(who)
    square = (vectors**2).sum(1)
    distances = square[:, None] + square[None, :] - 2 * vectors @ vectors.T
    np.fill_diagonal(distances, np.inf)
    assert np.mean(labels[distances.argmin(axis=1)] == labels) < 0.35


def test_rings_are_forced_on_and_off() -> None:
    wearer = next(p for k in range(200) if (p := person(8, k)).ring is not None)
    assert wearer.ring is not None
    side = ("right", "left")[wearer.ring.hand]
    other = ("left", "right")[wearer.ring.hand]
    on = render_hand(wearer, f"dorsal {side}", rng(3), size=64, skin=PLAIN, accessories=True)
    off = render_hand(wearer, f"dorsal {side}", rng(3), size=64, skin=PLAIN, accessories=False)
    assert on.attributes["accessories"] == "1"
    assert "ring on the" in on.attributes["accessory"]
    assert off.attributes["accessories"] == "0"
    assert off.attributes["accessory"] == ""
    assert not np.array_equal(on.pixels, off.pixels)
    ringless = render_hand(wearer, f"dorsal {other}", rng(3), size=64, skin=PLAIN, accessories=True)
    assert "ring" not in ringless.attributes["accessory"]


def _captions(count: int) -> list[tuple[HandIdentity, dict[str, str], str]]:
    draw, told = rng(21), []
    for index in range(count):
        identity = sample_identity(draw)
        picture = render_hand(identity, ASPECTS[index % 4], draw, size=16, skin=PLAIN)
        told += [(identity, picture.attributes, caption(identity, picture, draw)) for _ in range(6)]
    return told


def test_captions_are_true_short_and_varied() -> None:
    told = _captions(160)
    words: set[str] = set()
    for identity, seen, sentence in told:
        assert sentence.isascii()
        split = sentence.replace(",", "").split()
        assert 4 <= len(split) <= 30
        words.update(split)
        side, hand = seen["aspectOfHand"].split()
        assert hand in split
        assert {"left": "right", "right": "left"}[hand] not in split
        palmar = {"palm", "palmar"} & set(split)
        assert bool(palmar) == (side == "palmar")
        marks = identity.surface(seen["aspectOfHand"]).marks
        for kind in ("mole", "scar", "tattoo"):
            if kind in split:
                places = [mark.where for mark in marks if mark.kind == kind]
                assert any(where in sentence for where in places)
        for other in ("very fair", "fair", "medium", "dark"):
            if f" {other} skin" in sentence and f"very {other} skin" not in sentence:
                assert seen["skinColor"] == other
        if " ring on the " in sentence:
            assert seen["accessory"] != ""
        if "polish" in split:
            assert seen["nailPolish"] == "1"
        if "background" in split:
            assert f"{seen['background']} background" in sentence
    sentences = {sentence for _, _, sentence in told}
    assert len(sentences) > 0.85 * len(told)
    assert 80 < len(words) < 400
    assert any(s.endswith(" a dorsal right hand") for s in sentences)


def test_captions_are_deterministic() -> None:
    identity = person(3, 3)
    picture = render_hand(identity, "dorsal left", rng(0), size=16, skin=PLAIN)
    first = [caption(identity, picture, rng(5, k)) for k in range(8)]
    assert first == [caption(identity, picture, rng(5, k)) for k in range(8)]
    assert len(set(first)) > 4


def test_attributes_follow_the_person() -> None:
    told = {"polish": 0, "bare": 0}
    for index in range(60):
        identity = person(9, index)
        seen = render_hand(identity, ASPECTS[index % 4], rng(index), size=16, skin=PLAIN).attributes
        assert seen["age"] == str(identity.age)
        assert seen["gender"] == identity.gender
        assert seen["skinColor"] == identity.skin_color
        assert seen["aspectOfHand"] == ASPECTS[index % 4]
        assert (seen["nailPolish"] == "1") == (seen["polish"] != "")
        assert seen["polish"] in ("", identity.polish)
        assert (seen["accessories"] == "1") == (seen["accessory"] != "")
        odd = any(m.kind != "mole" for m in identity.surface(seen["aspectOfHand"]).marks)
        assert (seen["irregularities"] == "1") == odd
        told["polish" if seen["polish"] else "bare"] += 1
    assert min(told.values()) > 3


def test_one_aspect_only(tmp_path):
    from promptreid.errors import RunError
    from promptreid.synth.hands.hands import write_hands

    write_hands(tmp_path / "one", identities=2, seed=4, size=48, aspects=("palmar left",))
    rows = (tmp_path / "one" / "HandInfo.csv").read_text().splitlines()[1:]
    assert rows
    assert all('"palmar left"' in row for row in rows)
    assert len(list((tmp_path / "one" / "Hands").iterdir())) == len(rows)
    with pytest.raises(RunError, match="aspect named 'left'"):
        write_hands(tmp_path / "two", identities=2, seed=4, aspects=("left",))
