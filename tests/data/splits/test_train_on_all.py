from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from facts import lacking
from PIL import Image

from promptreid.data.dataset import DataSet
from promptreid.data.inspection.inspect import inspect_data
from promptreid.data.load_data import data_options, load_data
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import fixed_protocol
from promptreid.data.reader_registry import READERS
from promptreid.data.splits.train_on_all import train_on_all
from promptreid.errors import ConfigError, DataError
from promptreid.training.run.training_data import training_data

NAMES = (
    "bounding_box_train/0002_c1s1_000451_03.jpg",
    "bounding_box_train/0002_c6s1_000551_01.jpg",
    "bounding_box_train/0007_c3s3_077419_03.jpg",
    "query/0001_c1s1_001051_00.jpg",
    "bounding_box_test/0000_c4s6_000810_01.jpg",
    "bounding_box_test/0001_c3s1_008801_01.jpg",
    "bounding_box_test/-1_c1s1_000401_03.jpg",
)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 8)).save(tmp_path / name)
    return tmp_path


def table(*rows: tuple[str, str, str]) -> DataSet:
    manifest = Manifest.of("t", Path("/t"), [Sample(*row) for row in rows])
    return DataSet("csv:/t.csv", manifest, None)


@pytest.mark.parametrize("name", list(READERS))
def test_every_reader_has_the_option(name: str) -> None:
    option = data_options(name)[-1]
    assert (option.name, option.allowed, option.default) == ("use", "train|all", "train")
    with pytest.raises(ConfigError, match=r"use=test of data set .* must be 'train' or 'all'"):
        load_data(f"{name}:/d?use=test")


def test_test_images_train_and_nothing_is_left_to_test_on(people: Path) -> None:
    plain = load_data(f"market1501:{people}")
    data = load_data(f"market1501:{people}?use=all")
    assert set(data.manifest.splits) == {"train"}
    assert data.protocol is None
    assert plain.protocol is not None
    assert data.spec.endswith("?use=all")
    assert data.manifest.fingerprint() != plain.manifest.fingerprint()
    moved = [name for name in NAMES if "train" not in name and "/0001_" in name]
    assert sorted(data.manifest.paths) == sorted([*NAMES[:3], *moved])
    assert "2 test images of 1 identities train too" in data.notes[-2]
    assert load_data(f"market1501:{people}?use=train").manifest == plain.manifest


def test_boxes_on_nobody_in_particular_are_no_identity(people: Path) -> None:
    data = load_data(f"market1501:{people}?use=all")
    assert set(data.manifest.identities) == {"1", "2", "7"}
    assert "1 gallery images that show no one identity are left out" in data.notes[-1]


def test_they_really_train(people: Path) -> None:
    datasets = [load_data(f"market1501:{people}{use}") for use in ("", "?use=all")]
    train, both = (
        training_data([data], validation="none", fraction=0.1, seed=0) for data in datasets
    )
    assert train.classes == ("2", "7")
    assert both.classes == ("1", "2", "7")
    assert Counter(both.labels.tolist()) == {0: 2, 1: 2, 2: 1}


def test_such_data_are_usable(people: Path) -> None:
    found = inspect_data(load_data(f"market1501:{people}?use=all"))
    assert found.ok


def test_validation_and_distractors_stay_what_they_are() -> None:
    data = train_on_all(
        table(
            ("a.jpg", "1", "train"),
            ("b.jpg", "1", "val"),
            ("c.jpg", "2", "test"),
            ("d.jpg", "3", "distractor"),
        )
    )
    assert data.manifest.splits == ("train", "val", "train", "distractor")


def test_an_image_that_is_query_and_gallery_comes_once() -> None:
    rows = (("a.jpg", "1", "query"), ("a.jpg", "1", "gallery"), ("b.jpg", "1", "gallery"))
    data = train_on_all(table(*rows))
    assert data.manifest.paths == ("a.jpg", "b.jpg")
    (note,) = data.notes
    assert not lacking(note, "use=all", "2 test images", "1 identities")


def test_nothing_to_move_says_nothing() -> None:
    assert train_on_all(table(("a.jpg", "1", "train"))).notes == ()


def test_the_rule_against_leaks_still_holds() -> None:
    """A distractor that shares an image with what now trains is refused."""
    rows = (("a.jpg", "1", "test"), ("b.jpg", "1", "test"), ("a.jpg", "2", "distractor"))
    with pytest.raises(DataError, match="1 images are in both train and distractor"):
        train_on_all(table(*rows))


def test_old_protocol_does_not_survive() -> None:
    rows = (("a.jpg", "1", "query"), ("b.jpg", "1", "gallery"))
    manifest = Manifest.of("t", Path("/t"), [Sample(*row) for row in rows])
    protocol = fixed_protocol(manifest, name="t", same_camera="keep")
    assert train_on_all(DataSet("csv:/t", manifest, protocol)).protocol is None
