from __future__ import annotations

from pathlib import Path

import pytest

from promptreid.data.load_data import load_data
from promptreid.errors import DataError

NAMES = (
    "image_train/0001_c001_00016450_0.jpg",
    "image_train/0003_c020_00015000_0.jpg",
    "image_query/0002_c002_00030600_0.jpg",
    "image_test/0002_c002_00030600_0.jpg",
    "image_test/0002_c004_00084280_0.jpg",
)


@pytest.fixture
def root(tmp_path: Path, make_images) -> Path:
    root = tmp_path / "VeRi"
    make_images(root, NAMES)
    (root / "name_train.txt").write_text("0001_c001_00016450_0.jpg\n")
    return root


def label(root: Path) -> None:
    joints = " ".join(["-1"] * 40)
    (root / "keypoint_train.txt").write_text(
        f"VeRi/image_train/0001_c001_00016450_0.jpg {joints} 5\n"
    )
    (root / "keypoint_test.txt").write_text(
        f"VeRi/image_test/0002_c002_00030600_0.jpg {joints} 0\n\n"
    )


def test_layout_without_views(root: Path) -> None:
    data = load_data(f"veri776:{root.parent}")
    m = data.manifest
    assert m.identities == ("1", "3", "2", "2", "2")
    assert m.cameras == ("1", "20", "2", "2", "4")
    assert m.splits == ("train", "train", "query", "gallery", "gallery")
    assert m.views == (None,) * 5
    assert data.protocol is not None
    assert data.protocol.same_camera == "exclude"


def test_unlabelled_images_are_kept_or_dropped(root: Path) -> None:
    label(root)
    kept = load_data(f"veri776:{root}")
    # The query image lies in image_test too, under the same name, and shares its label.
    assert kept.manifest.views == ("5", None, "0", "0", None)
    assert "2 images have no viewpoint label and were kept with an unknown view" in kept.notes[0]
    dropped = load_data(f"veri776:{root}?views=drop")
    assert dropped.manifest.views == ("5", "0", "0")
    assert "were left out" in dropped.notes[0]
    ignored = load_data(f"veri776:{root}?views=ignore")
    assert ignored.manifest.views == (None,) * 5
    assert ignored.notes == ()


@pytest.mark.parametrize("word", ["-1", "nan", "?"])
def test_a_viewpoint_that_is_not_known_is_none(root: Path, word: str) -> None:
    label(root)
    without = load_data(f"veri776:{root}")
    with (root / "keypoint_test.txt").open("a") as file:
        file.write(f"VeRi/image_test/0002_c004_00084280_0.jpg 3 4 {word}\n")
    data = load_data(f"veri776:{root}")
    assert (data.manifest, data.notes) == (without.manifest, without.notes)


def test_dropping_needs_labels(root: Path) -> None:
    with pytest.raises(DataError, match=r"views=drop needs .*keypoint_train.txt"):
        load_data(f"veri776:{root}?views=drop")


def test_broken_label_line(root: Path) -> None:
    (root / "keypoint_test.txt").write_text("\na.jpg 1 2 left\n")
    with pytest.raises(DataError, match=r"keypoint_test.txt, line 2: .* it is 'left'"):
        load_data(f"veri776:{root}")


def test_what_else_lies_there_is_said(root: Path) -> None:
    (root / "image_test/Thumbs.db").touch()
    (root / "image_test/list.txt").touch()
    (root / "image_query/0009_c001_00016450_0.jpg").symlink_to("/mnt/gone.jpg")
    data = load_data(f"veri776:{root}")
    assert "1 file is no image by its name: .txt." in data.notes
    assert "1 image is a link to nothing" in data.lost[0]
