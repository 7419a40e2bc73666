from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from promptreid.data.load_data import load_data
from promptreid.errors import ConfigError, DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two training vehicles; test lists of five vehicles with two to four images, one with one."""
    root = tmp_path / "VehicleID_V1.0"
    (root / "image").mkdir(parents=True)
    split = root / "train_test_split"
    split.mkdir()
    number = 0

    def lines(vehicles: list[tuple[int, int]]) -> str:
        nonlocal number
        text = ""
        for vehicle, images in vehicles:
            for _ in range(images):
                number += 1
                (root / "image" / f"{number:07d}.jpg").touch()
                text += f"{number:07d} {vehicle}\n"
        return text

    (split / "train_list.txt").write_text(lines([(41, 3), (7, 2)]))
    for size in (800, 1600, 2400):
        test = [(100 + v, 2 + v % 3) for v in range(5)] + [(900, 1)]
        (split / f"test_list_{size}.txt").write_text(lines(test))
    return root


@pytest.mark.parametrize("size", [800, 1600, 2400])
def test_trials(root: Path, size: int) -> None:
    data = load_data(f"vehicleid:{root.parent}?size={size}")
    m = data.manifest
    assert m.identity_list("train") == ["7", "41"]
    assert m.identity_list("test") == ["100", "101", "102", "103", "104", "900"]
    assert set(m.cameras) == {None}
    protocol = data.protocol
    assert protocol is not None
    assert (protocol.name, protocol.same_camera) == (f"vehicleid/{size}", "keep")
    assert len(protocol.repeats) == 10
    test = set(m.indices("test").tolist())
    for repeat in protocol.repeats:
        assert set(repeat.query.tolist()) | set(repeat.gallery.tolist()) == test
        assert Counter(m.identities[row] for row in repeat.gallery) == Counter(
            m.identity_list("test")
        )
        # A vehicle with one image is gallery only.
        assert "900" not in {m.identities[row] for row in repeat.query}
    assert len({tuple(repeat.gallery) for repeat in protocol.repeats}) > 5
    assert any(f"6 vehicles, not {size:,}" in note for note in data.notes)


def test_trials_are_seeded(root: Path) -> None:
    first = load_data(f"vehicleid:{root}?seed=3").protocol
    assert first == load_data(f"vehicleid:{root}?seed=3").protocol
    assert first != load_data(f"vehicleid:{root}?seed=4").protocol
    three = load_data(f"vehicleid:{root}?seed=3&repeats=3").protocol
    assert first is not None
    assert three is not None
    assert three.repeats == first.repeats[:3]


def test_wrong_size(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"size=900 .* 800, 1600 or 2400"):
        load_data(f"vehicleid:{root}?size=900")


def test_missing_list_and_broken_line(root: Path) -> None:
    split = root / "train_test_split"
    (split / "test_list_1600.txt").unlink()
    with pytest.raises(DataError, match=r"for test_list_1600.txt, but it holds test_list_2400.txt"):
        load_data(f"vehicleid:{root}?size=1600")
    for line in ("0000001;41", f"0000001 {'9' * 5000}"):
        (split / "train_list.txt").write_text(f"{line}\n")
        with pytest.raises(DataError, match=rf"train_list.txt, line 1: '{line}' is not"):
            load_data(f"vehicleid:{root}")


def test_missing_images(root: Path) -> None:
    (root / "image/0000001.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 20 .*train_list.txt and test_list_800.txt"):
        load_data(f"vehicleid:{root}")
    data = load_data(f"vehicleid:{root}?missing=skip")
    assert Counter(data.manifest.splits)["train"] == 4


def test_images_that_no_list_names_are_counted(root: Path) -> None:
    def unlisted() -> int:
        (told,) = [n for n in load_data(f"vehicleid:{root}").notes if "not listed" in n]
        assert "not listed in train_list.txt and test_list_800.txt and not used" in told
        return int(told.split()[0])

    before = unlisted()  # those of the larger test lists
    (root / "image/7777777.jpg").touch()
    assert unlisted() == before + 1


def test_nothing_to_search_for(root: Path) -> None:
    (root / "train_test_split/test_list_800.txt").write_text("0000006 100\n0000008 101\n")
    with pytest.raises(DataError, match=r"No test vehicle has two images"):
        load_data(f"vehicleid:{root}")
