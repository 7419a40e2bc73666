from __future__ import annotations

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from promptreid.data.load_data import load_data
from promptreid.errors import DataError

# name -> role; person 1_002 was seen by one camera only
ROLES = {
    "1_001_1_01.png": "train",
    "1_001_2_06.png": "train",
    "1_002_1_01.png": "train",
    "2_001_1_02.png": "query",
    "2_001_2_07.png": "query",
    "2_001_1_01.png": "gallery",
    "2_001_2_10.png": "gallery",
    "5_003_1_05.png": "gallery",
}
SPLITS = ("train", "train", "train", "query", "query", "gallery", "gallery", "gallery")


def pixels(name: str, kind: str) -> np.ndarray:
    rng = np.random.default_rng([ord(c) for c in name + kind])
    return rng.integers(256, size=(9, 5, 3), dtype=np.uint8)


def write_archive(file: Path) -> None:
    """Write MATLAB 7.3 cells as MATLAB does: axes reversed, an empty cell as its size."""
    file.parent.mkdir(parents=True, exist_ok=True)
    reference = h5py.special_dtype(ref=h5py.Reference)
    with h5py.File(file, "w") as content:
        for kind in ("labeled", "detected"):
            pairs = content.create_dataset(kind, (1, 5), dtype=reference)
            for pair in range(1, 6):
                people = max([int(n[2:5]) for n in ROLES if n[0] == str(pair)], default=1)
                table = content.create_dataset(f"{kind}{pair}", (10, people), dtype=reference)
                for person in range(1, people + 1):
                    for number in range(1, 11):
                        name = f"{pair}_{person:03d}_{1 if number <= 5 else 2}_{number:02d}.png"
                        data = pixels(name, kind).T if name in ROLES else np.zeros(2, np.uint64)
                        cell = content.create_dataset(f"{kind}/{name}".replace("/", "-"), data=data)
                        table[number - 1, person - 1] = cell.ref
                pairs[0, pair - 1] = table.ref


def write_mat_split(root: Path, kind: str) -> None:
    names = sorted(ROLES)
    filelist = np.empty((len(names), 1), dtype=object)
    filelist[:, 0] = names
    indices = {
        f"{role}_idx": np.array([[n + 1] for n, name in enumerate(names) if ROLES[name] == role])
        for role in ("train", "query", "gallery")
    }
    labels = np.arange(len(names))[:, None]
    savemat(
        root / f"cuhk03_new_protocol_config_{kind}.mat",
        {"filelist": filelist, "labels": labels, "camId": labels, **indices},
    )


def write_json_split(root: Path, kind: str) -> None:
    content = {
        role: [[f"C:\\old\\images_{kind}\\{n}", 0, 0] for n, r in ROLES.items() if r == role]
        for role in ("train", "query", "gallery")
    }
    (root / f"splits_new_{kind}.json").write_text(json.dumps([{**content, "num_train_pids": 2}]))


def write_csv_split(root: Path, kind: str) -> None:
    lines = [f"{name},{role}" for name, role in ROLES.items()]
    (root / f"splits_new_{kind}.csv").write_text("\n".join(["name,split", *lines]))


WRITERS = {"mat": write_mat_split, "json": write_json_split, "csv": write_csv_split}


@pytest.mark.parametrize("kind", ["labeled", "detected"])
@pytest.mark.parametrize("form", list(WRITERS))
def test_extracted_images(tmp_path: Path, make_images, kind: str, form: str) -> None:
    make_images(tmp_path / "cuhk03" / f"images_{kind}", ROLES)
    WRITERS[form](tmp_path / "cuhk03", kind)
    data = load_data(f"cuhk03:{tmp_path}?kind={kind}")
    m = data.manifest
    assert dict(zip(m.paths, m.splits, strict=True)) == {
        f"images_{kind}/{name}": role for name, role in ROLES.items()
    }
    found = {
        p.split("/")[1]: (i, c) for p, i, c in zip(m.paths, m.identities, m.cameras, strict=True)
    }
    assert found["1_001_2_06.png"] == ("1001", "2")
    assert found["5_003_1_05.png"] == ("5003", "1")
    assert m.identity_list("train") == ["1001", "1002"]
    assert data.protocol is not None
    assert (data.protocol.name, data.protocol.same_camera) == (f"cuhk03/{kind}", "exclude")
    assert len(data.protocol.repeats) == 1
    assert len(data.protocol.repeats[0].query) == 2


@pytest.mark.parametrize("kind", ["labeled", "detected"])
def test_archive_is_extracted_once(tmp_path: Path, kind: str) -> None:
    write_archive(tmp_path / "cuhk03_release/cuhk-03.mat")
    write_mat_split(tmp_path, kind)
    data = load_data(f"cuhk03:{tmp_path}?kind={kind}")
    folder = tmp_path / f"images_{kind}"
    assert {file.name for file in folder.iterdir()} == set(ROLES)
    for name in ROLES:
        with Image.open(folder / name) as image:
            assert np.array_equal(np.asarray(image), pixels(name, kind))
    assert any("Extracted 8 images" in note for note in data.notes)
    (tmp_path / "cuhk03_release/cuhk-03.mat").unlink()
    again = load_data(f"cuhk03:{tmp_path}?kind={kind}")
    assert again.manifest == data.manifest
    assert not any("Extracted" in note for note in again.notes)


def test_cache_folder(tmp_path: Path) -> None:
    home, cache = tmp_path / "home", tmp_path / "cache/deep"
    write_archive(home / "cuhk-03.mat")
    write_mat_split(home, "labeled")
    before = sorted(home.iterdir())
    for _ in range(2):
        data = load_data(f"cuhk03:{home}?cache={cache}")
        assert data.manifest.path(0).parent == cache / "images_labeled"
        assert data.manifest.path(0).is_file()
    assert sorted(home.iterdir()) == before


def test_broken_archive_leaves_nothing(tmp_path: Path) -> None:
    write_archive(tmp_path / "cuhk-03.mat")
    with h5py.File(tmp_path / "cuhk-03.mat", "a") as content:
        del content["labeled"]
    write_mat_split(tmp_path, "labeled")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match=r"could not be extracted into .*labeled.*cache=DIR"):
        load_data(f"cuhk03:{tmp_path}")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("package", ["h5py", "scipy.io"])
def test_missing_packages_are_named(tmp_path: Path, monkeypatch, package: str) -> None:
    write_archive(tmp_path / "cuhk-03.mat")
    write_mat_split(tmp_path, "labeled")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DataError, match=r"pip install 'promptreid\[cuhk03\]'"):
        load_data(f"cuhk03:{tmp_path}")


def test_csv_split_needs_no_scipy(tmp_path: Path, monkeypatch, make_images) -> None:
    make_images(tmp_path / "images_labeled", ROLES)
    write_mat_split(tmp_path, "labeled")
    write_csv_split(tmp_path, "labeled")
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    assert load_data(f"cuhk03:{tmp_path}").manifest.splits == SPLITS


def test_market_like_form(tmp_path: Path, make_images) -> None:
    make_images(
        tmp_path / "CUHK03-NP/detected",
        [
            "bounding_box_train/0003_c1_21.png",
            "query/0001_c1_1.png",
            "bounding_box_test/0001_c2_6.png",
        ],
    )
    data = load_data(f"cuhk03:{tmp_path}?kind=detected")
    assert data.manifest.name == "cuhk03"
    assert data.manifest.identities == ("3", "1", "1")
    assert data.manifest.cameras == ("1", "1", "2")
    with pytest.raises(DataError, match=r"images_labeled, the file cuhk-03.mat, or labeled/bound"):
        load_data(f"cuhk03:{tmp_path}?kind=labeled")


def test_no_split_file(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "images_labeled", ROLES)
    write_mat_split(tmp_path, "detected")
    with pytest.raises(DataError, match=r"cuhk03_new_protocol_config_labeled.mat, splits_new_lab"):
        load_data(f"cuhk03:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("splits_new_labeled.json", "[]", "must hold lists of .*IndexError"),
        ("splits_new_labeled.json", "{", "must hold lists of"),
        ("splits_new_labeled.csv", "name,role\na,b", "columns name and split"),
        ("splits_new_labeled.csv", "name,split\na,test", "line 2, column split: 'test'"),
        ("splits_new_labeled.csv", "name,split\nperson.png,train", "lists 'person.png'"),
        ("cuhk03_new_protocol_config_labeled.mat", "text", "is not the new-protocol split"),
    ],
)
def test_broken_splits(tmp_path: Path, make_images, name: str, content: str, words: str) -> None:
    make_images(tmp_path / "images_labeled", ROLES)
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words):
        load_data(f"cuhk03:{tmp_path}")


def test_missing_images(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "images_labeled", list(ROLES)[1:])
    write_mat_split(tmp_path, "labeled")
    with pytest.raises(DataError, match=r"1 of 8 .*1_001_1_01\.png"):
        load_data(f"cuhk03:{tmp_path}")
    assert len(load_data(f"cuhk03:{tmp_path}?missing=skip").manifest) == 7


def test_images_that_the_split_does_not_name_are_counted(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "images_labeled", [*ROLES, "5_001_1_01.png"])
    write_csv_split(tmp_path, "labeled")
    (told,) = load_data(f"cuhk03:{tmp_path}").notes
    assert told.startswith("1 image in these folders is not listed in splits_new_labeled.csv")
