"""Exports of Label Studio become images that are cut out of pictures."""

import json
from pathlib import Path
from typing import Any

import pytest
from facts import lacking
from marked_frames import SIZE, colour_of, draw_frame

from promptreid.data.images.decode import read_image
from promptreid.data.load_data import load_data
from promptreid.errors import DataError

BOXES = {"ada": (12, 8, 24, 40), "bo": (60, 16, 72, 56)}


def region(name: str, edges: tuple[int, int, int, int], **value: Any) -> list[dict[str, Any]]:
    """Return a rectangle, and the text of its region, as an export has them."""
    left, top, right, bottom = edges
    sides = (left, top, right - left, bottom - top)
    percents = [100 * side / SIZE[place % 2] for place, side in enumerate(sides)]
    box = dict(zip(("x", "y", "width", "height"), percents, strict=True)) | {"rotation": 0}
    shared = {"id": f"r-{name}", "original_width": SIZE[0], "original_height": SIZE[1]}
    who = {"type": "textarea", "from_name": "who", "value": {**box, "text": [name]}}
    rectangle = {"type": "rectanglelabels", "from_name": "label"}
    rectangle["value"] = {**box, "rectanglelabels": ["cat"]} | value
    return [shared | rectangle, shared | who]


def tasks(root: Path) -> list[dict[str, Any]]:
    addresses = ("/data/upload/1/{}", "/data/local-files/?d=1%2F{}", "https://x.org/1/{}?a=b")
    made = []
    for number, address in enumerate(addresses):
        name = f"{number}.png"
        draw_frame(root / "images/1" / name, BOXES)
        result = [entry for who, edges in BOXES.items() for entry in region(who, edges)]
        made.append({"data": {"image": address.format(name)}, "annotations": [{"result": result}]})
    return made


def write(root: Path, content: Any) -> Path:
    file = root / "export.json"
    file.write_text(json.dumps(content))
    return file


def test_regions_are_cut_out(tmp_path: Path) -> None:
    data = load_data(f"label_studio:{write(tmp_path, tasks(tmp_path))}")
    m = data.manifest
    assert m.identities == ("ada", "bo") * 3
    assert m.paths == ("1/0.png", "1/0.png", "1/1.png", "1/1.png", "1/2.png", "1/2.png")
    assert m.boxes[:2] == ((12, 8, 12, 32), (60, 16, 12, 40))
    assert set(m.attributes["label"]) == {"cat"}
    for row in range(len(m)):
        pixels = read_image(m.image(row)).reshape(3, -1)
        assert pixels.unique(dim=1).T.tolist() == [list(colour_of(m.identities[row]))]


def test_several_controls_need_a_name(tmp_path: Path) -> None:
    content = tasks(tmp_path)
    for task in content:
        result = task["annotations"][0]["result"]
        side = {"id": "r-ada", "type": "choices", "from_name": "side", "value": {"choices": ["l"]}}
        result += [side, {"id": "p", "type": "polygonlabels", "value": {}}]
    file = write(tmp_path, content)
    with pytest.raises(DataError) as caught:
        load_data(f"label_studio:{file}")
    assert not lacking(str(caught.value), "who and side", "identity=NAME")
    data = load_data(f"label_studio:{file}?identity=who")
    assert data.manifest.attributes["side"] == ("l", "") * 3
    assert any("3 polygonlabels" in note for note in data.notes)
    with pytest.raises(DataError, match=r"'wo'.*who"):
        load_data(f"label_studio:{file}?identity=wo")


def test_what_is_no_region_says_nothing_of_one(tmp_path: Path) -> None:
    content = tasks(tmp_path)
    relation = {"type": "relation", "from_id": "r-ada", "to_id": "r-bo", "direction": "right"}
    for task in content:
        task["data"] = {"note": "Seen at dusk. Rain.", "id": "3.1", **task["data"]}
        task["annotations"][0]["result"].append(relation)
    m = load_data(f"label_studio:{write(tmp_path, content)}").manifest
    assert m.paths[:2] == ("1/0.png", "1/0.png")
    assert m.identities == ("ada", "bo") * 3


def test_the_shortened_format_is_named(tmp_path: Path) -> None:
    box = {"x": 1, "y": 1, "width": 9, "height": 9, "rectanglelabels": ["cat"]}
    file = write(tmp_path, [{"image": "/data/upload/1/0.png", "id": 1, "label": [box]}])
    with pytest.raises(DataError) as caught:
        load_data(f"label_studio:{file}")
    assert not lacking(str(caught.value), str(file), "JSON-MIN", "format JSON.")


def test_labels_may_be_a_control_beside_that_of_rectangles(tmp_path: Path) -> None:
    content = tasks(tmp_path)
    for task in content:
        for entry in list(task["annotations"][0]["result"]):
            if entry["type"] == "rectanglelabels":
                entry["type"] = "rectangle"
                names = entry["value"].pop("rectanglelabels")
                label = {"type": "labels", "from_name": "label", "value": {"labels": names}}
                task["annotations"][0]["result"].append(entry | label)
    data = load_data(f"label_studio:{write(tmp_path, content)}?classes=cat")
    assert set(data.manifest.attributes["label"]) == {"cat"}
    assert not any("no rectangles" in note for note in data.notes)


def test_pictures_may_lie_without_the_folder_of_the_project(tmp_path: Path) -> None:
    file = write(tmp_path, tasks(tmp_path))
    for picture in (tmp_path / "images/1").iterdir():
        picture.rename(tmp_path / picture.name)
    m = load_data(f"label_studio:{file}").manifest
    assert m.paths == ("0.png", "0.png", "1.png", "1.png", "2.png", "2.png")


def test_rotated_and_cancelled(tmp_path: Path) -> None:
    content = tasks(tmp_path)
    content[0]["annotations"][0]["result"][0]["value"]["rotation"] = 20
    content[1]["annotations"].append({"result": [], "was_cancelled": True})
    content[2]["annotations"] = []
    content.append({"data": {"text": "no picture"}, "annotations": [{"result": []}]})
    data = load_data(f"label_studio:{write(tmp_path, content)}")
    assert len(data.manifest) == 3
    assert any("1 rectangle is rotated" in note for note in data.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tree: tree.clear(), "no upright rectangle"),
        (lambda tree: tree[1]["data"].clear(), r"tasks\[1\]\.data names no picture"),
        (lambda tree: tree[0]["annotations"][0]["result"][0].pop("original_width"),
         r"tasks\[0\]\.result\[0\]\.original_width"),
        (lambda tree: tree[0]["annotations"][0]["result"][2]["value"].pop("x"),
         r"tasks\[0\]\.result\[2\]\.value"),
        (lambda tree: tree[2]["annotations"][0]["result"].append({"id": "q"}),
         r"tasks\[2\]\.result\[4\]\.value is no object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, change: Any, words: str) -> None:
    content = tasks(tmp_path)
    change(content)
    with pytest.raises(DataError, match=words):
        load_data(f"label_studio:{write(tmp_path, content)}")
    with pytest.raises(DataError, match="list of tasks"):
        load_data(f"label_studio:{write(tmp_path, {})}")
