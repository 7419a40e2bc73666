"""COCO files with identities become images that are cut out of pictures."""

import json
from pathlib import Path
from typing import Any

import pytest
from facts import lacking
from marked_frames import SIZE, colour_of, draw_frame

from promptreid.data.images.decode import read_image
from promptreid.data.load_data import load_data
from promptreid.errors import DataError

BOXES = {"7": (4, 2, 14, 42), "8": (60, 10, 75, 60)}


def tree(root: Path, *, key: str = "track_id", frames: int = 3, videos: int = 1) -> dict[str, Any]:
    """Draw frames with two things on each, and return what a file says of them."""
    images, annotations = [], []
    for video in range(1, videos + 1):
        for frame in range(frames):
            name = f"v{video}/{frame}.png"
            draw_frame(root / "images" / name, BOXES)
            number = len(images) + 1
            images.append(
                {"id": number, "file_name": name, "video_id": video, "frame_id": frame,
                 "width": SIZE[0], "height": SIZE[1]}
            )  # fmt: skip
            for track, (left, top, right, bottom) in BOXES.items():
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": number, "category_id": 1,
                     "bbox": [left, top, right - left, bottom - top], key: int(track)}
                )  # fmt: skip
    return {
        "images": images,
        "annotations": annotations,
        "videos": [{"id": number, "name": f"cam{number}"} for number in range(1, videos + 1)],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}],
    }


def write(root: Path, content: Any) -> Path:
    file = root / "annotations" / "list.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize("key", ["track_id", "instance_id"])
def test_tracks_are_identities_of_their_video(tmp_path: Path, key: str) -> None:
    data = load_data(f"coco:{write(tmp_path, tree(tmp_path, key=key, videos=2))}")
    m = data.manifest
    assert set(m.identities) == {"cam1_7", "cam1_8", "cam2_7", "cam2_8"}
    assert m.root == tmp_path / "images"
    assert (m.name, m.paths[0], m.boxes[0]) == ("list", "v1/0.png", (4, 2, 10, 40))
    assert m.attributes["frame"][:4] == ("0", "0", "1", "1")
    assert set(m.attributes["label"]) == {"person"}
    for row in range(len(m)):
        pixels = read_image(m.image(row)).reshape(3, -1)
        colour = colour_of(m.identities[row].partition("_")[2])
        assert pixels.unique(dim=1).T.tolist() == [list(colour)]


def test_pictures_are_found_where_coco_has_them(tmp_path: Path) -> None:
    content = tree(tmp_path)
    (tmp_path / "images").rename(tmp_path / "train")
    file = write(tmp_path, content)
    file = file.rename(file.with_name("instances_train.json"))
    assert load_data(f"coco:{file}").manifest.root == tmp_path / "train"


def test_a_named_value_is_an_identity_everywhere(tmp_path: Path) -> None:
    content = tree(tmp_path, videos=2)
    for annotation in content["annotations"]:
        name = "anna" if annotation.pop("track_id") == 7 else "bob"
        annotation["attributes"] = {"who": name, "Camera": "gate", "side": "left", "split": "x"}
    file = write(tmp_path, content)
    m = load_data(f"coco:{file}?identity=who").manifest
    assert set(m.identities) == {"anna", "bob"}
    assert set(m.cameras) == {"gate"}
    assert set(m.attributes["side"]) == {"left"}
    assert set(m.attributes["marked split"]) == {"x"}
    data = load_data(f"coco:{file}?identity=who&camera=video_id")
    assert set(data.manifest.cameras) == {"1", "2"}
    assert data.protocol is not None
    assert data.protocol.same_camera == "exclude"


def test_frames_classes_and_crowds(tmp_path: Path) -> None:
    content = tree(tmp_path, frames=5)
    content["annotations"][0]["iscrowd"] = 1
    content["annotations"][1]["category_id"] = 2
    file = write(tmp_path, content)
    data = load_data(f"coco:{file}?every=2&classes=person")
    assert data.manifest.attributes["frame"] == ("2", "2", "4", "4")
    assert any("1 crowd" in note for note in data.notes)
    assert any(not lacking(note, "4 of 9", "1 of other labels") for note in data.notes)
    with pytest.raises(DataError, match=r"'persn'.*person"):
        load_data(f"coco:{file}?classes=persn")


def test_unknown_identities_are_left_out(tmp_path: Path) -> None:
    content = tree(tmp_path)
    content["annotations"][0]["track_id"] = None
    assert len(load_data(f"coco:{write(tmp_path, content)}").manifest) == 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tree: [one.pop("track_id") for one in tree["annotations"]], "identity=KEY"),
        (lambda tree: tree.pop("images"), "no COCO file"),
        (lambda tree: tree["annotations"][2].update(bbox=[1, 2, 3]), r"annotations\[2\]\.bbox"),
        (lambda tree: tree["annotations"][1].update(image_id=99), r"annotations\[1\]\.image_id"),
        (lambda tree: tree["annotations"][1].update(image_id=[1]), r"annotations\[1\]\.image_id"),
        (lambda tree: tree["annotations"][1].update(bbox=[10**400] * 4), r"annotations\[1\]\.bbox"),
        (lambda tree: tree.update(videos={}), "videos is"),
        (lambda tree: tree["images"].append(3), r"images\[3\]"),
        (lambda tree: tree.update(annotations=[]), "who is shown"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: Any, words: str) -> None:
    content = tree(tmp_path)
    change(content)
    with pytest.raises(DataError, match=words):
        load_data(f"coco:{write(tmp_path, content)}")


def test_files_that_are_no_json(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"images": [],\n "annotations": [}')
    with pytest.raises(DataError, match=r"a\.json, line 2"):
        load_data(f"coco:{file}")
    file.write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"a\.json"):
        load_data(f"coco:{file}")
    with pytest.raises(DataError, match="no such file"):
        load_data(f"coco:{tmp_path / 'b.json'}")
    with pytest.raises(DataError, match="images=DIR"):
        load_data(f"coco:{write(tmp_path, tree(tmp_path))}?images={tmp_path}")
    with pytest.raises(DataError, match="whoo"):
        load_data(f"coco:{write(tmp_path, tree(tmp_path))}?identity=whoo")
