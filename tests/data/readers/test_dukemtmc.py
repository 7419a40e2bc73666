from __future__ import annotations

from pathlib import Path

import pytest

from promptreid.data.load_data import load_data

NAMES = (
    "bounding_box_train/0001_c2_f0046182.jpg",
    "bounding_box_train/7140_c8_f0000001.jpg",
    "query/0005_c2_f0046985.jpg",
    "bounding_box_test/0002_c1_f0044158.jpg",
    "bounding_box_test/0005_c5_f0051341.jpg",
)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("dukemtmc", "DukeMTMC-reID"),
        ("dukemtmc", "dukemtmcreid/DukeMTMC-reID"),
        ("occluded_duke", "Occluded_Duke"),
        ("occluded_duke", "dukemtmcreid/Occluded_Duke"),
    ],
)
def test_duke_layouts(tmp_path: Path, make_images, name: str, folder: str) -> None:
    make_images(tmp_path / folder, NAMES)
    data = load_data(f"{name}:{tmp_path / folder}")
    m = data.manifest
    assert m.name == name
    assert m.domains == (name,) * 5
    assert m.identities == ("1", "7140", "5", "2", "5")
    assert m.cameras == ("2", "8", "2", "1", "5")
    assert m.splits == ("train", "train", "query", "gallery", "gallery")
    assert data.protocol is not None
    assert (data.protocol.name, data.protocol.same_camera) == (name, "exclude")
    assert load_data(f"{name}:{tmp_path}").manifest == m


def test_siblings_are_told_apart(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "DukeMTMC-reID", NAMES)
    make_images(tmp_path / "Occluded_Duke", (*NAMES[:-1], "bounding_box_test/0005_c7_f01.jpg"))
    assert load_data(f"dukemtmc:{tmp_path}").manifest.cameras[-1] == "5"
    assert load_data(f"occluded_duke:{tmp_path}").manifest.cameras[-1] == "7"
