from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from promptreid.data.dataset import DataSet
from promptreid.data.load_data import load_data
from promptreid.data.splits.unseen import check_unseen
from promptreid.errors import DataError


@pytest.fixture
def people(tmp_path: Path):
    """Write people in the layout of Market-1501; a seed stands for a place."""

    def write(folder: str, seed: int) -> str:
        random = np.random.default_rng(seed)
        for name in (
            "bounding_box_train/0002_c1_1.jpg",
            "bounding_box_train/0002_c2_2.jpg",
            "bounding_box_train/0003_c1_1.jpg",
            "query/0001_c1_1.jpg",
            "bounding_box_test/0001_c2_1.jpg",
            "bounding_box_test/0000_c2_1.jpg",
        ):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 255, (8, 4, 3), np.uint8)).save(path)
        return f"market1501:{tmp_path / folder}"

    return write


def table(file: Path, *rows: str) -> DataSet:
    file.write_text("\n".join(["path,identity,split", *rows]))
    for row in rows:
        path = file.parent / row.partition(",")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(row.encode())
    return load_data(f"csv:{file}")


def test_other_places_may_use_the_same_names(people) -> None:
    here, there, third = (load_data(people(name, seed)) for seed, name in enumerate("abc"))
    check_unseen([here, there], [third])
    check_unseen([], [third])
    check_unseen([here], [])


def test_the_same_data_set_is_said(people) -> None:
    here = load_data(people("a", 0))
    with pytest.raises(DataError, match=r"--test market1501:.+ is the same as --data market1501"):
        check_unseen([here], [here])


def test_a_training_set_that_uses_all_its_images(people) -> None:
    spec = people("a", 0)
    with pytest.raises(DataError) as caught:
        check_unseen([load_data(f"{spec}?use=all")], [load_data(spec)])
    assert f"2 images that --test {spec} is scored on train in --data {spec}?use=all" in str(
        caught.value
    )
    assert "bounding_box_test/0001_c2_1.jpg" in str(caught.value)


@pytest.mark.parametrize("train", ["?use=all", ""])
def test_a_copy_in_another_folder_is_noticed(people, tmp_path: Path, train: str) -> None:
    spec = people("a", 0)
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "bounding_box_train")
    (tmp_path / "copy" / "bounding_box_train").mkdir()
    test = load_data(f"market1501:{tmp_path / 'copy'}")
    if train:
        with pytest.raises(DataError, match="2 images that --test"):
            check_unseen([load_data(spec + train)], [test])
    else:  # the test half of what trains is not seen
        check_unseen([load_data(spec)], [test])


def test_other_images_of_a_trained_identity(tmp_path: Path) -> None:
    """Two cuts of one collection: no test image trains, but the person does."""
    rows = ["a.jpg,1,train", "b.jpg,1,val", "c.jpg,2,query", "d.jpg,2,gallery"]
    trained = table(tmp_path / "one.csv", *rows)
    other = ["a.jpg,3,train", "e.jpg,1,query", "f.jpg,1,gallery"]
    with pytest.raises(
        DataError, match=r"1 identities .* is scored on train in --data .*example 1"
    ):
        check_unseen([trained], [table(tmp_path / "two.csv", *other)])


def test_identities_of_unrelated_tables_are_unrelated(tmp_path: Path) -> None:
    trained = table(tmp_path / "cows.csv", "cows/a.jpg,1,train", "cows/b.jpg,2,train")
    test = table(tmp_path / "pigs.csv", "pigs/a.jpg,1,query", "pigs/b.jpg,1,gallery")
    check_unseen([trained], [test])


def test_one_file_under_two_tables(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    test = table(tmp_path / "x" / "two.csv", "a.jpg,7,query", "b.jpg,7,gallery")
    trained = table(tmp_path / "one.csv", "x/a.jpg,1,train", "x/c.jpg,2,train")
    with pytest.raises(DataError, match=f"1 images .* for example {tmp_path}/x/a.jpg"):
        check_unseen([trained], [test])


def test_validation_images_count_as_training(tmp_path: Path) -> None:
    rows = ["a.jpg,1,train", "b.jpg,1,val"]
    trained = table(tmp_path / "one.csv", *rows)
    test = table(tmp_path / "two.csv", "b.jpg,9,query", "c.jpg,9,gallery")
    with pytest.raises(DataError, match=r"1 images .*b\.jpg"):
        check_unseen([trained], [test])


def test_a_gallery_image_of_nobody_else_counts_too(tmp_path: Path) -> None:
    trained = table(tmp_path / "one.csv", "a.jpg,1,train", "b.jpg,2,train")
    rows = ["c.jpg,9,query", "d.jpg,9,gallery", "a.jpg,8,distractor"]
    with pytest.raises(DataError, match=r"1 images .*a\.jpg"):
        check_unseen([trained], [table(tmp_path / "two.csv", *rows)])


def test_nothing_to_test_on(people) -> None:
    spec = people("a", 0)
    with pytest.raises(DataError, match="has nothing to test on: it holds 5 train images"):
        check_unseen([], [load_data(f"{spec}?use=all")])


@pytest.fixture
def hands(tmp_path: Path) -> Path:
    """Both aspects of six people; 1040 and 1045 train by dorsal right, and test by dorsal left."""
    (tmp_path / "11k" / "Hands").mkdir(parents=True)
    rows = ["id,age,gender,skinColor,accessories,nailPolish,aspectOfHand,imageName,irregularities"]
    for person in (1, 2, 1040, 1045, 1060, 1061):
        for aspect in ("dorsal right", "dorsal left"):
            for _ in range(3):
                name = f"Hand_{len(rows):07d}.jpg"
                (tmp_path / "11k" / "Hands" / name).write_bytes(name.encode())
                rows.append(f"{person},27,male,fair,0,0,{aspect},{name},0")
    (tmp_path / "11k" / "HandInfo.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "11k"


def test_aspects_of_one_hand_set_share_their_people(hands: Path, tmp_path: Path) -> None:
    right, left = (
        load_data(f"hands11k:{hands}?thresholds=mba&aspect={aspect}")
        for aspect in ("dorsal_right", "dorsal_left")
    )
    words = r"2 identities that --test hands11k.* train in --data .*, for example 1040"
    with pytest.raises(DataError, match=words):
        check_unseen([right], [left])
    check_unseen([left], [right])  # who trains by the left hand is not tested by the right
    copy = shutil.copytree(hands, tmp_path / "copy")
    with pytest.raises(DataError, match=words):
        check_unseen([right], [load_data(f"hands11k:{copy}?thresholds=mba&aspect=dorsal_left")])
    for file in (copy / "Hands").iterdir():
        file.write_bytes(b"other " + file.read_bytes())
    check_unseen([right], [load_data(f"hands11k:{copy}?thresholds=mba&aspect=dorsal_left")])
