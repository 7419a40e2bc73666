from __future__ import annotations

from pathlib import Path

import pytest

from promptreid.data.load_data import load_data
from promptreid.errors import DataError

TRAIN = [
    ("0000/0000_000_01_0303morning_0008_0.jpg", 0),
    ("0001/0001_003_15_0302noon_0017_2.jpg", 1),
]
VAL = [("0000/0000_031_14_0303morning_0245_0_ex.jpg", 0)]
QUERY = [("0000/0000_000_02_0113afternoon_0001_0.jpg", 0)]
GALLERY = [
    ("0000/0000_001_03_0113afternoon_0002_0.jpg", 0),
    ("0001/0001_000_02_0114morning_0003_1.jpg", 1),
]
FOLDERS = {"v1": ("train", "test"), "v2": ("mask_train_v2", "mask_test_v2")}


def build(root: Path, make_images, folders: tuple[str, str]) -> Path:
    train, test = folders
    make_images(root / train, [path for path, _ in TRAIN + VAL])
    make_images(root / test, [path for path, _ in QUERY + GALLERY])
    for name, rows in (("train", TRAIN), ("val", VAL), ("query", QUERY), ("gallery", GALLERY)):
        lines = "".join(f"{path} {number}\n" for path, number in rows)
        (root / f"list_{name}.txt").write_text(lines)
    return root


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_versions_are_told_apart(tmp_path: Path, make_images, version: str) -> None:
    build(tmp_path / "MSMT17", make_images, FOLDERS[version])
    data = load_data(f"msmt17:{tmp_path}")
    m = data.manifest
    train, test = FOLDERS[version]
    assert m.paths[0] == f"{train}/{TRAIN[0][0]}"
    assert m.paths[-1] == f"{test}/{GALLERY[-1][0]}"
    assert m.splits == ("train", "train", "train", "query", "gallery", "gallery")
    assert m.cameras == ("1", "15", "14", "2", "3", "2")
    # Test people are counted behind the two training people.
    assert m.identities == ("0", "1", "0", "2", "2", "3")
    assert any(f"This is MSMT17 {version.upper()}" in note for note in data.notes)
    assert any("faces are masked" in note for note in data.notes) == (version == "v2")
    assert any("numbered from 2" in note for note in data.notes)
    assert data.protocol is not None
    assert data.protocol.name == f"msmt17/{version}"


def test_other_letter_case(tmp_path: Path, make_images) -> None:
    build(tmp_path, make_images, ("mask_train_V2", "mask_test_V2"))
    assert load_data(f"msmt17:{tmp_path}").manifest.paths[0].startswith("mask_train_V2/")


def test_val_list_may_validate(tmp_path: Path, make_images) -> None:
    build(tmp_path, make_images, FOLDERS["v1"])
    data = load_data(f"msmt17:{tmp_path}?val=val")
    assert data.manifest.splits == ("train", "train", "val", "query", "gallery", "gallery")
    assert any("are for validation" in note for note in data.notes)


def test_both_versions_must_be_chosen(tmp_path: Path, make_images) -> None:
    build(tmp_path, make_images, FOLDERS["v1"])
    build(tmp_path, make_images, FOLDERS["v2"])
    with pytest.raises(DataError, match=r"both V1 and V2; add the option version=v1"):
        load_data(f"msmt17:{tmp_path}")
    chosen = load_data(f"msmt17:{tmp_path}?version=v2")
    assert chosen.manifest.paths[0].startswith("mask_train_v2/")


def test_no_image_folders(tmp_path: Path, make_images) -> None:
    build(tmp_path, make_images, ("images", "more"))
    with pytest.raises(DataError, match=r"train and test \(V1\) or mask_train_v2 .*holds images/"):
        load_data(f"msmt17:{tmp_path}")


def test_missing_images_stop_or_are_skipped(tmp_path: Path, make_images) -> None:
    build(tmp_path, make_images, FOLDERS["v1"])
    (tmp_path / "test" / GALLERY[1][0]).unlink()
    with pytest.raises(DataError, match=f"1 of 6 images .*{GALLERY[1][0]}.*missing=skip"):
        load_data(f"msmt17:{tmp_path}")
    data = load_data(f"msmt17:{tmp_path}?missing=skip")
    assert len(data.manifest) == 5
    assert any("1 of 6 images" in note and "skipped" in note for note in data.notes)


@pytest.mark.parametrize("line", ["0000/a.jpg 0", f"{TRAIN[0][0]}", f"{TRAIN[0][0]} x"])
def test_broken_list_line(tmp_path: Path, make_images, line: str) -> None:
    build(tmp_path, make_images, FOLDERS["v1"])
    (tmp_path / "list_train.txt").write_text(f"{TRAIN[0][0]} 0\n{line}\n")
    with pytest.raises(DataError, match=r"list_train.txt, line 2: .*is not an image and its"):
        load_data(f"msmt17:{tmp_path}")


def test_images_that_no_list_names_are_counted(tmp_path: Path, make_images) -> None:
    build(tmp_path, make_images, FOLDERS["v1"])
    assert not any("not listed" in note for note in load_data(f"msmt17:{tmp_path}").notes)
    beside = (tmp_path / "test" / GALLERY[1][0]).with_name("9999_000_01_x.jpg")
    beside.touch()
    (told,) = [note for note in load_data(f"msmt17:{tmp_path}").notes if "not listed" in note]
    assert told.startswith("1 image in these folders is not listed in the list files")
    assert beside.name in told
