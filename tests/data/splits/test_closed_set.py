"""Test images of identities that train: refused, or scored as what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from promptreid.data.dataset import DataSet
from promptreid.data.inspection.inspect import inspect_data
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.manifest.manifest_files import read_manifest, write_manifest
from promptreid.data.protocol import Protocol, Repeat
from promptreid.data.splits.validation import make_validation
from promptreid.errors import DataError
from promptreid.evaluation import Embeddings, evaluate_protocol

PEOPLE = "abcdef"


def table(
    root: Path, *, splits: tuple[str, ...] = ("train", "train", "train", "test"), extra: str = ""
) -> Path:
    """Write one image of each identity for each split."""
    rows = []
    for who in PEOPLE:
        for number, split in enumerate(splits):
            (root / f"{who}{number}.jpg").touch()
            rows.append(f"{who}{number}.jpg,{who},{split},{number % 2}\n")
    file = root / "herd.csv"
    file.write_text("path,identity,split,camera\n" + "".join(rows) + extra)
    return file


def closed(file: Path, more: str = "&same_camera=keep") -> DataSet:
    return load_data(f"csv:{file}?identities=closed{more}")


def test_the_refusal_names_the_way_on(tmp_path: Path) -> None:
    file = table(tmp_path)
    with pytest.raises(DataError) as error:
        load_data(f"csv:{file}")
    assert str(error.value).startswith(
        f"{file}: 6 identities are in both train and test, for example 'a'."
    )
    assert "identities=closed" in str(error.value)
    assert "leave the splits out" in str(error.value)


@pytest.mark.parametrize(
    ("splits", "queries", "gallery"),
    [
        (("train", "train", "train", "test"), 6, 18),
        (("train", "test", "test"), 12, 6),
        (("train", "query", "gallery"), 6, 12),
        (("train", "train", "query"), 6, 12),
        (("train", "query", "gallery", "test"), 12, 12),
        (("train", "val", "query"), 6, 6),
    ],
)
def test_test_images_against_training_images(
    tmp_path: Path, splits: tuple[str, ...], queries: int, gallery: int
) -> None:
    data = closed(table(tmp_path, splits=splits))
    protocol, manifest = data.protocol, data.manifest
    assert protocol is not None
    assert protocol.closed
    assert manifest.closed
    assert protocol.name == "herd/closed"
    assert "Closed set" in protocol.note
    (repeat,) = protocol.repeats
    assert (len(repeat.query), len(repeat.gallery)) == (queries, gallery)
    assert {manifest.splits[row] for row in repeat.query} <= {"query", "test"}
    assert {manifest.splits[row] for row in repeat.gallery} <= {"train", "gallery"}
    keys = manifest.identity_keys()
    assert {keys[row] for row in repeat.query} == {keys[row] for row in repeat.gallery}
    found = inspect_data(data, check_images=False)
    assert found.ok
    assert found.protocol is not None
    assert found.protocol.absent == 0


def test_scores_are_those_of_recognition(tmp_path: Path) -> None:
    data = closed(table(tmp_path))
    assert data.protocol is not None
    rows, protocol = data.protocol.compact()
    manifest = data.manifest.select(rows)
    vectors = torch.nn.functional.one_hot(
        torch.tensor([PEOPLE.index(name) for name in manifest.identities]), 6
    ).float()
    vectors[manifest.indices("test")[0]] = vectors[manifest.indices("test")[1]]
    found = Embeddings.from_vectors(vectors, list(manifest.identities), cameras=manifest.cameras)
    (scores,) = evaluate_protocol(found, protocol).per_repeat
    assert scores.curve[0] == pytest.approx(5 / 6)  # the first query looks like another identity


def test_training_never_sees_test_images(tmp_path: Path) -> None:
    data = closed(table(tmp_path))
    rows, held = make_validation(data, kind="images")
    assert held is not None
    tested = {data.manifest.paths[row] for row in data.manifest.indices("test")}
    assert len(tested) == 6
    assert not tested & set(rows.paths)
    assert not tested & set(held.manifest.paths)
    extra = "a3.jpg,a,train,1\n"
    with pytest.raises(DataError, match=r"a3.jpg in lines 5 and 26 \(split test and train\)"):
        closed(table(tmp_path, extra=extra))


def test_images_that_train_may_be_listed_as_gallery(tmp_path: Path) -> None:
    extra = "a0.jpg,a,gallery,0\nb1.jpg,b,gallery,1\n"
    data = closed(table(tmp_path, extra=extra))
    assert data.manifest == closed(table(tmp_path)).manifest
    assert "herd.csv: 2 gallery rows name images that train, which are the gallery." in data.notes


def test_new_identities_are_counted(tmp_path: Path) -> None:
    (tmp_path / "z.jpg").touch()
    data = closed(table(tmp_path, extra="z.jpg,z,test,0\n"))
    assert any("1 of 7 test identities do not train, for example 'z'" in n for n in data.notes)
    found = inspect_data(data, check_images=False)
    assert found.protocol is not None
    assert found.protocol.absent == 1


def test_an_open_set_is_not_called_closed(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        (tmp_path / name).touch()
    file = tmp_path / "open.csv"
    file.write_text("path,identity,split\n1.jpg,a,train\n2.jpg,b,query\n3.jpg,b,gallery\n")
    with pytest.raises(DataError, match=r"none of the 1 test identities of 'open' trains"):
        closed(file)
    assert load_data(f"csv:{file}").manifest.closed is False


def test_nothing_to_test(tmp_path: Path) -> None:
    data = closed(table(tmp_path, splits=("train", "train")))
    assert data.protocol is None
    assert "There is no test image, so nothing can be scored." in data.notes


def test_cameras_bring_the_camera_rule(tmp_path: Path) -> None:
    protocol = closed(table(tmp_path), "").protocol
    assert protocol is not None
    assert protocol.same_camera == "exclude"


@pytest.mark.parametrize("seed", [0, 5])
def test_images_are_drawn_where_there_is_no_split(tmp_path: Path, seed: int) -> None:
    file = table(tmp_path, splits=("x", "x", "x", "x"))
    (tmp_path / "z.jpg").touch()
    text = "\n".join(line.rsplit(",", 2)[0] for line in file.read_text().splitlines())
    file.write_text(text + "\nz.jpg,z\n")
    data = closed(file, f"&train=0.75&seed={seed}")
    assert data.manifest.counts() == {
        "train": {"images": 19, "identities": 7},
        "test": {"images": 6, "identities": 6},
    }
    assert f"19 of 25 images, drawn of each identity with seed {seed}, train." in data.notes
    assert data.manifest == closed(file, f"&train=0.75&seed={seed}").manifest
    few = closed(file, f"&train=0&seed={seed}").manifest
    assert few.counts()["train"] == {"images": 7, "identities": 7}


def test_folders(tmp_path: Path, make_images) -> None:
    names = [f"{who}/{number}.jpg" for who in PEOPLE for number in range(4)]
    make_images(tmp_path / "flat", names)
    make_images(tmp_path / "roles", [f"train/{name}" for name in names])
    make_images(tmp_path / "roles", [f"test/{who}/9.jpg" for who in PEOPLE])
    with pytest.raises(DataError, match=r"roles: 6 identities are in both train and test.*closed"):
        load_data(f"folder:{tmp_path}/roles")
    for name, queries in (("flat", 12), ("roles", 6)):
        protocol = load_data(f"folder:{tmp_path}/{name}?identities=closed").protocol
        assert protocol is not None
        assert protocol.name == f"{name}/closed"
        assert len(protocol.repeats[0].query) == queries


def test_only_a_closed_protocol_has_training_images_in_its_gallery() -> None:
    samples = [Sample("1.jpg", "a", "train"), Sample("2.jpg", "a", "test")]
    manifest = Manifest.of("m", Path("/m"), samples, closed=True)
    repeats = (Repeat(np.array([1]), np.array([0])),)
    assert DataSet("m", manifest, Protocol("p", repeats, "keep", "step", closed=True))
    with pytest.raises(DataError, match=r"'p' is for an open set, but the manifest 'm' is a clos"):
        DataSet("m", manifest, Protocol("p", repeats, "keep", "step"))
    other = Manifest.of("m", Path("/m"), [*samples[:1], Sample("2.jpg", "b", "test")])
    with pytest.raises(DataError, match=r"'p' is for a closed set, but the manifest 'm' is an op"):
        DataSet("m", other, Protocol("p", repeats, "keep", "step", closed=True))
    with pytest.raises(DataError, match=r"uses 1.jpg of split 'train' as gallery"):
        DataSet("m", other, Protocol("p", repeats, "keep", "step"))
    swapped = (Repeat(np.array([0]), np.array([1])),)
    with pytest.raises(DataError, match=r"uses 1.jpg of split 'train' as query"):
        DataSet("m", manifest, Protocol("p", swapped, "keep", "step", closed=True))
    with pytest.raises(DataError, match=r"1 images are in both train and test"):
        Manifest.of("m", Path("/m"), [*samples, Sample("1.jpg", "a", "test")], closed=True)
    with pytest.raises(DataError, match=r"1 identities are in both train and test"):
        Manifest.of("m", Path("/m"), samples)


def test_a_closed_manifest_comes_back(tmp_path: Path) -> None:
    manifest = closed(table(tmp_path)).manifest
    write_manifest(manifest, tmp_path / "again.csv")
    write_manifest(manifest, tmp_path / "again.parquet")
    for kind in ("csv", "parquet"):
        again = read_manifest(tmp_path / f"again.{kind}", name="herd", closed=True)
        assert again == manifest
        with pytest.raises(DataError, match=r"identities are in both train and test"):
            read_manifest(tmp_path / f"again.{kind}")
    assert manifest.select([0, 3]).closed
    assert manifest.training().closed
