from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from pathlib import Path

import pytest
from facts import lacking

from promptreid.data.inspection.inspect import inspect_data
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest
from promptreid.errors import DataError


@pytest.fixture
def flat(tmp_path: Path, make_images) -> Path:
    root = tmp_path / "cows"
    make_images(root, [f"{cow}/{n}.jpg" for cow in "abcdef" for n in range(4)])
    (root / ".cache").mkdir()
    (root / ".cache/x.jpg").touch()
    (root / "a/.hidden.jpg").touch()
    (root / "a/notes.txt").touch()
    return root


def test_flat(flat: Path) -> None:
    data = load_data(f"folder:{flat}")
    m = data.manifest
    assert m.name == "cows"
    assert len(m) == 24
    assert len(m.identity_list("train")) == len(m.identity_list("test")) == 3
    protocol = data.protocol
    assert protocol is not None
    assert (protocol.name, protocol.same_camera) == ("cows/gallery", "keep")
    assert len(protocol.repeats) == 10
    for repeat in protocol.repeats:
        assert sorted(m.identities[row] for row in repeat.gallery) == m.identity_list("test")
        assert len(repeat.query) == 9
    assert any("3 of 6 identities, drawn with seed 0, train" in note for note in data.notes)


def test_a_folder_of_unknown_ones_is_left_out(flat: Path, make_images) -> None:
    before = load_data(f"folder:{flat}")
    make_images(flat, [f"Unknown/{n}.jpg" for n in range(3)])
    data = load_data(f"folder:{flat}")
    assert (data.manifest, data.protocol) == (before.manifest, before.protocol)
    assert "3 of 27 images are left out" in data.notes[0]
    assert "'Unknown' (3)" in data.notes[0]
    assert "Unknown" in load_data(f"folder:{flat}?unknown=keep").manifest.identities
    assert any("named 'e1'" in note for note in load_data(f"folder:{flat}?unknown=e1").notes)


def test_folders_of_unknown_ones_below_sites_are_left_out(tmp_path: Path, make_images) -> None:
    people = ("a", "b", "c", "unknown")
    make_images(tmp_path, [f"{s}/{who}/{n}.jpg" for s in "xy" for who in people for n in range(3)])
    data = load_data(f"folder:{tmp_path}?depth=2")
    assert {name.split("/")[1] for name in data.manifest.identities} == {"a", "b", "c"}
    assert data.notes[0].startswith("6 of 24 images are left out")


def test_distractors_may_be_unknown(tmp_path: Path, make_images) -> None:
    make_images(
        tmp_path,
        [
            f"{role}/{who}/{n}.jpg"
            for role in ("query", "gallery")
            for who in "ab?"
            for n in range(2)
        ]
        + ["distractor/unknown/1.jpg"],
    )
    data = load_data(f"folder:{tmp_path}")
    assert data.manifest.counts()["distractor"]["images"] == 1
    assert "4 of 13 images are left out" in data.notes[0]


def test_flat_options(flat: Path) -> None:
    def trained(spec: str) -> set[str]:
        return set(load_data(spec).manifest.where(split="train").identities)

    assert len({frozenset(trained(f"folder:{flat}?seed={s}")) for s in range(8)}) > 3
    assert len(trained(f"folder:{flat}?train=0.9")) == 5
    assert len(trained(f"folder:{flat}?train=0.01")) == 1
    data = load_data(f"folder:{flat}?gallery_per_identity=3&repeats=2")
    assert data.protocol is not None
    assert [(len(r.query), len(r.gallery)) for r in data.protocol.repeats] == [(3, 9)] * 2


def test_all_or_nothing_trains(flat: Path) -> None:
    everything = load_data(f"folder:{flat}?train=1")
    assert set(everything.manifest.splits) == {"train"}
    assert everything.protocol is None
    assert "There is no test image, so nothing can be scored." in everything.notes
    nothing = load_data(f"folder:{flat}?train=0")
    assert set(nothing.manifest.splits) == {"test"}
    assert nothing.protocol is not None


def test_loose_and_deep_images_are_said(flat: Path, make_images) -> None:
    make_images(flat, ["stray.jpg", "a/deeper/1.jpg"])
    data = load_data(f"folder:{flat}")
    assert len(data.manifest) == 24
    assert "1 image lies outside of identity folders, left out: stray.jpg." in data.notes
    assert any("left out: a/deeper/1.jpg" in note for note in data.notes)


@pytest.fixture
def split(tmp_path: Path, make_images) -> Path:
    root = tmp_path / "split"
    names = ["train/a/1.jpg", "train/a/2.jpg", "train/b/1.jpg", "val/a/3.jpg"]
    make_images(root, [*names, "query/c/1.jpg", "gallery/c/2.jpg", "gallery/d/1.jpg"])
    return root


def roles(m: Manifest) -> list[tuple[str, str]]:
    return list(zip(m.paths, m.splits, strict=True))


def test_split_folders(split: Path, make_images) -> None:
    make_images(split, ["extra/x/1.jpg"])
    data = load_data(f"folder:{split}")
    assert roles(data.manifest) == [
        ("train/a/1.jpg", "train"),
        ("train/a/2.jpg", "train"),
        ("train/b/1.jpg", "train"),
        ("val/a/3.jpg", "val"),
        ("query/c/1.jpg", "query"),
        ("gallery/c/2.jpg", "gallery"),
        ("gallery/d/1.jpg", "gallery"),
    ]
    assert data.protocol is not None
    assert data.protocol.repeats[0].gallery.tolist() == [5, 6]
    assert any("left out: extra" in note for note in data.notes)


def test_test_beside_query_is_the_gallery(split: Path) -> None:
    (split / "gallery").rename(split / "test")
    data = load_data(f"folder:{split}")
    assert [path for path, role in roles(data.manifest) if role == "gallery"] == [
        "test/c/2.jpg",
        "test/d/1.jpg",
    ]


def test_test_alone_is_drawn(tmp_path: Path, make_images) -> None:
    names = [f"test/{who}/{n}.jpg" for who in "cde" for n in range(3)]
    make_images(tmp_path, ["train/a/1.jpg", *names])
    data = load_data(f"folder:{tmp_path}")
    assert Counter(data.manifest.splits) == {"train": 1, "test": 9}
    assert data.protocol is not None
    assert {len(repeat.query) for repeat in data.protocol.repeats} == {6}


def test_shared_identity_stops(split: Path, make_images) -> None:
    make_images(split, ["train/c/9.jpg"])
    with pytest.raises(DataError, match=r"both train and query, for example 'c'"):
        load_data(f"folder:{split}")


def test_few_identities(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "one", ["a/1.jpg", "a/2.jpg"])
    with pytest.raises(DataError, match=r"All 2 images show one identity \('a'\)"):
        load_data(f"folder:{tmp_path / 'one'}")
    make_images(tmp_path / "two", ["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"])
    two = load_data(f"folder:{tmp_path / 'two'}")
    assert Counter(two.manifest.splits) == {"train": 2, "test": 2}
    assert any("Only one test identity" in note for note in two.notes)
    make_images(tmp_path / "single", ["a/1.jpg", "b/1.jpg", "c/1.jpg"])
    single = load_data(f"folder:{tmp_path / 'single'}")
    assert single.protocol is None
    assert "No test identity has two images, so nothing can be scored." in single.notes


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.txt").touch()
    with pytest.raises(DataError, match=r"one folder of images per identity, but it holds a/"):
        load_data(f"folder:{tmp_path}")


def test_links_to_nothing_are_a_problem(flat: Path) -> None:
    for name in ("a/8.jpg", "b/9.PNG"):
        (flat / name).symlink_to("/mnt/gone/picture.jpg")
    (flat / "gone").symlink_to("/mnt/gone/folder")
    (flat / "a/notes.lnk").symlink_to("/mnt/gone/notes")
    data = load_data(f"folder:{flat}")
    assert len(data.manifest) == 24
    (lost,) = data.lost
    assert not lacking(lost, "2 images and 1 folder", "a/8.jpg -> /mnt/gone/picture.jpg")
    found = inspect_data(data)
    assert not found.ok
    assert data.lost[0] in found.problems
    (flat / "gone").unlink()
    (flat / "a/8.jpg").unlink()
    assert load_data(f"folder:{flat}").lost[0].startswith("1 image is a link to nothing")


def test_links_to_nothing_in_place_of_all_are_said(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/mnt/gone/a")
    with pytest.raises(DataError, match=r"1 folder is a link to nothing, for example a -> /mnt"):
        load_data(f"folder:{tmp_path}")


def test_links_out_of_the_root_are_followed(flat: Path, make_images) -> None:
    make_images(flat.parent / "elsewhere", ["g/1.jpg", "g/2.jpg", "one.jpg"])
    (flat / "g").symlink_to(flat.parent / "elsewhere/g")
    (flat / "a/one.jpg").symlink_to(flat.parent / "elsewhere/one.jpg")
    data = load_data(f"folder:{flat}")
    assert {"g/1.jpg", "g/2.jpg", "a/one.jpg"} < set(data.manifest.paths)
    assert not data.lost


@pytest.mark.parametrize("nested", ["leave", "take"])
def test_circles_of_links_end_and_each_folder_is_read_once(flat: Path, nested: str) -> None:
    before = load_data(f"folder:{flat}").manifest
    (flat / "a/up").symlink_to("..")
    (flat / "a/self").symlink_to(".")
    (flat / "0").symlink_to("a")  # it comes first by name, yet the folder keeps its own
    (flat / "b/circle").symlink_to("circle")
    data = load_data(f"folder:{flat}?nested={nested}")
    assert data.manifest == before
    assert any(
        note.startswith("3 folders are met again through links") and "a/up" in note
        for note in data.notes
    )
    assert data.lost == (
        "1 folder is a link to nothing, for example b/circle -> circle.",
    )  # fmt: skip


def test_files_that_are_not_taken_are_counted_by_their_endings(flat: Path) -> None:
    for number in range(5):
        (flat / f"b/{number}.txt").touch()
    for name in ("a/x.xyz", "a/README", "c/Thumbs.db", "c/desktop.ini", "c/.DS_Store"):
        (flat / name).touch()
    for name in ("a/1.HEIC", "a/2.heif", "b/3.nef"):
        (flat / name).touch()
    assert load_data(f"folder:{flat}").notes[:3] == (
        "8 files are no images by their name: no ending (1), .txt (6), .xyz (1).",
        "2 HEIC files cannot be read here; convert them to JPEG: a/1.HEIC, a/2.heif.",
        "1 raw camera file cannot be read here; convert it to JPEG: b/3.nef.",
    )


def test_photographs_of_all_kinds_are_taken(tmp_path: Path, make_images) -> None:
    suffixes = ("gif", "ppm", "jfif", "jpe", "avif", "jp2", "tga", "JPG", "bmp", "webp")
    make_images(tmp_path, [f"{who}/x.{suffix}" for who in "ab" for suffix in suffixes])
    data = load_data(f"folder:{tmp_path}")
    assert len(data.manifest) == 2 * len(suffixes)
    assert inspect_data(data).unreadable == ()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders on Windows")
def test_pipes_among_images_are_said_and_not_opened(flat: Path) -> None:
    os.mkfifo(flat / "a/pipe.jpg")
    data = load_data(f"folder:{flat}")
    assert len(data.manifest) == 24
    assert any("no file but a pipe" in note and "a/pipe.jpg" in note for note in data.notes)


def test_images_in_folders_of_an_identity(flat: Path, make_images) -> None:
    make_images(flat, ["a/monday/1.jpg", "a/tuesday/late/2.jpg", "b/monday/3.jpg"])
    left = load_data(f"folder:{flat}")
    assert len(left.manifest) == 24
    assert any(
        note.startswith("3 images lie in folders inside identity folders")
        and "a/tuesday/late/2.jpg" in note
        and "nested=take" in note
        for note in left.notes
    )
    taken = load_data(f"folder:{flat}?nested=take").manifest
    assert len(taken) == 27
    owners = dict(zip(taken.paths, taken.identities, strict=True))
    assert owners["a/tuesday/late/2.jpg"] == owners["a/monday/1.jpg"] == "a"


def test_identities_may_lie_deeper(tmp_path: Path, make_images) -> None:
    names = [f"{site}/{who}/{n}.jpg" for site in ("north", "south") for who in "ab" for n in "12"]
    make_images(tmp_path / "x", names)
    data = load_data(f"folder:{tmp_path / 'x'}?depth=2")
    four = {"north/a", "north/b", "south/a", "south/b"}
    assert set(data.manifest.identities) == four
    make_images(tmp_path / "x", ["south/unknown/1.jpg"])
    assert set(load_data(f"folder:{tmp_path / 'x'}?depth=2").manifest.identities) == four
    make_images(
        tmp_path / "y", [f"{role}/{name}" for role in ("query", "gallery") for name in names]
    )
    split = load_data(f"folder:{tmp_path / 'y'}?depth=2").manifest
    assert set(split.identities) == set(data.manifest.identities)
    assert set(split.splits) == {"query", "gallery"}


ROLE_FOLDERS = [
    ["train", "query", "gallery"],
    ["Train", "Val"],
    ["training", "validation", "testing"],
    ["train"],
    ["bounding_box_train", "bounding_box_test"],
    ["probe", "gallery", "misc"],
]


@pytest.mark.parametrize("roles", ROLE_FOLDERS, ids="-".join)
@pytest.mark.parametrize("inside", ["", "val/"])
def test_roles_are_not_identities(
    tmp_path: Path, make_images, roles: list[str], inside: str
) -> None:
    make_images(tmp_path, [f"{inside}{role}/{n}.jpg" for role in roles for n in range(3)])
    make_images(tmp_path, [f"train/{who}/{n}.jpg" for who in "abc" for n in range(3) if inside])
    with pytest.raises(DataError, match=r"no folder for each identity; so named they are roles"):
        load_data(f"folder:{tmp_path}")


def test_a_role_without_identity_folders_beside_others_stops(split: Path, make_images) -> None:
    (split / "query/c/1.jpg").rename(split / "query/1.jpg")
    (split / "query/c").rmdir()
    with pytest.raises(DataError, match=r"query/ in .* holds images but no folder for each"):
        load_data(f"folder:{split}")


def test_files_named_as_in_market_are_told_so(tmp_path: Path, make_images) -> None:
    make_images(
        tmp_path, [f"{role}/0001_c1s1_{n}_00.jpg" for role in ("train", "query") for n in "12"]
    )
    with pytest.raises(DataError, match=r"bounding_box_test and read '?market1501:"):
        load_data(f"folder:{tmp_path}")


@pytest.mark.parametrize("name", ["train", "test", "query"])
@pytest.mark.parametrize("deep", [False, True])
def test_an_identity_may_be_named_like_a_role(
    tmp_path: Path, make_images, name: str, deep: bool
) -> None:
    make_images(tmp_path, [f"{kind}/{n}.jpg" for kind in ("bus", "car", name) for n in range(3)])
    if deep:
        make_images(tmp_path, [f"{name}/monday/1.jpg"])
    data = load_data(f"folder:{tmp_path}")
    assert set(data.manifest.identities) == {"bus", "car", name}


def test_photos_in_the_root_are_told_where_to_go(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["x0.jpg", "x1.jpg"])
    with pytest.raises(DataError) as caught:
        load_data(f"folder:{tmp_path}")
    wanted = (str(tmp_path), "one folder of images per identity")
    assert not lacking(
        str(caught.value), *wanted, "2 images", "x0.jpg, x1.jpg", f"images:{tmp_path}"
    )


def test_a_folder_of_folders_is_told_how_deep(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, [f"a/p{who}/{n}.jpg" for who in range(2) for n in range(2)])
    with pytest.raises(DataError) as caught:
        load_data(f"folder:{tmp_path}")
    said = str(caught.value)
    assert "the images lie 2 folders deep, for example a/p0/0.jpg" in said
    one = shlex.quote(f"folder:{tmp_path}/a")
    assert f"{one} reads one of them and 'folder:{tmp_path}?depth=2' all" in said
    assert len(load_data(f"folder:{tmp_path}?depth=2").manifest) == 4
    with pytest.raises(DataError, match=r"\?depth=2' reads them"):
        load_data(f"folder:{tmp_path}?depth=3")


def test_folders_of_heic_are_told_so(tmp_path: Path) -> None:
    for name in ("p1/a.heic", "p2/b.HEIC"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"2 HEIC files cannot be read here; convert them to JPEG"):
        load_data(f"folder:{tmp_path}")


def test_other_names_of_roles(tmp_path: Path, make_images) -> None:
    names = ["Training/a/1.jpg", "VALIDATION/a/2.jpg", "probe/c/1.jpg", "Test/c/2.jpg"]
    make_images(tmp_path, names)
    assert roles(load_data(f"folder:{tmp_path}").manifest) == list(
        zip(names, ("train", "val", "query", "gallery"), strict=True)
    )
    make_images(tmp_path, ["train/b/1.jpg"])
    with pytest.raises(DataError, match=r"Training/ and train/ in .* both stand for train"):
        load_data(f"folder:{tmp_path}")


def test_advice_is_written_as_a_shell_takes_it(tmp_path: Path, make_images) -> None:
    root = tmp_path / "my data?"
    make_images(root, ["a/p/1.jpg"])
    with pytest.raises(DataError) as caught:
        load_data(f"folder:{tmp_path}/my data%3F")
    assert f"'folder:{tmp_path}/my data%3F?depth=2' all" in str(caught.value)


def test_roles_with_folders_are_not_identities_either(split: Path, make_images) -> None:
    (split / "val/a/3.jpg").unlink()
    (split / "val/a").rmdir()
    make_images(split, [f"val/{role}/{who}/1.jpg" for role in ("query", "gallery") for who in "xy"])
    left = load_data(f"folder:{split}")
    assert "val" not in left.manifest.splits
    assert any(note.startswith("4 images lie in folders inside identity") for note in left.notes)
    with pytest.raises(DataError, match=r"gallery/, query/ in .*/val"):
        load_data(f"folder:{split}?nested=take")
