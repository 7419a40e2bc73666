from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from promptreid.data.dataset import load_data
from promptreid.data.manifest import Manifest
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
    assert any("1 images directly in" in note and "stray.jpg" in note for note in data.notes)
    assert any("left out: deeper" in note for note in data.notes)


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
