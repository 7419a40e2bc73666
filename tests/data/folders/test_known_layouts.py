from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from promptreid.data.folders.known_layouts import LAYOUTS, find_reader
from promptreid.data.load_data import load_data
from promptreid.data.reader_registry import READERS
from promptreid.errors import DataError

FILES = {
    "market1501": [
        "bounding_box_train/0002_c1s1_000451_03.jpg",
        "query/0001_c1s1_001051_00.jpg",
        "bounding_box_test/0001_c2s1_001051_00.jpg",
    ],
    "dukemtmc": [
        "bounding_box_train/0001_c2_f0046182.jpg",
        "query/0005_c2_f0046985.jpg",
        "bounding_box_test/0005_c1_f0046985.jpg",
    ],
    "msmt17": [
        *("list_train.txt", "list_query.txt", "list_gallery.txt"),
        *("train/0000/0000_000_01_0303morning_0008_0.jpg", "test/0000/0000_000_01_x.jpg"),
    ],
    "veri776": [
        "image_train/0001_c001_00016450_0.jpg",
        "image_query/0002_c002_00030600_0.jpg",
        "image_test/0002_c002_00030600_0.jpg",
    ],
    "vehicleid": ["image/0000001.jpg", "train_test_split/train_list.txt"],
    "hands11k": ["HandInfo.csv", "Hands/Hand_0000002.jpg"],
    "hd_hands": ["1-501/1_1.jpg", "502-712/1_1.jpg"],
    "cuhk01": ["campus/0001001.png", "campus/0001002.png"],
    "cuhk03": ["images_labeled/1_001_1_01.png"],
}
WITHOUT_LAYOUT = {
    *("folder", "images", "csv"),  # any folder, and tables of one's own
    *("mot", "coco", "cvat", "datumaro", "label_studio", "wildlife"),  # boxes on pictures
    "video",
}
FILES["occluded_duke"] = FILES["dukemtmc"]


@pytest.fixture(params=FILES)
def known(request: pytest.FixtureRequest, tmp_path: Path, make_images) -> tuple[str, Path]:
    name = request.param
    root = tmp_path / ("Occluded_Duke" if name == "occluded_duke" else "data")
    make_images(root, [file for file in FILES[name] if not file.endswith(("txt", "csv"))])
    for file in FILES[name]:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return name, root


def test_every_layout_has_an_example_and_a_reader() -> None:
    assert set(LAYOUTS) == set(FILES) == set(READERS) - WITHOUT_LAYOUT


def test_known_layouts_are_told(known: tuple[str, Path]) -> None:
    name, root = known
    assert find_reader(root) == name


def test_folder_names_the_reader_that_fits(known: tuple[str, Path]) -> None:
    name, root = known
    for place in (root, root.parent):
        with pytest.raises(
            DataError, match=re.escape(f"read it as {shlex.quote(f'{name}:{root}')}")
        ):
            load_data(f"folder:{place}")


def test_a_part_of_a_known_layout_leads_to_the_whole(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, FILES["market1501"])
    with pytest.raises(
        DataError, match=re.escape(f"read it as {shlex.quote(f'market1501:{tmp_path}')}")
    ):
        load_data(f"folder:{tmp_path / 'bounding_box_train'}")


def test_other_folders_are_no_known_layout(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["a/1.jpg", "query/2.jpg", "image/3.jpg"])
    assert find_reader(tmp_path) == ""
    assert find_reader(tmp_path / "none") == ""
