"""Data sets in Datumaro's own format become images that are cut out of pictures."""

import json
from pathlib import Path
from typing import Any

import pytest
from facts import lacking
from marked_frames import SIZE, colour_of, draw_frame

from promptreid.data.images.decode import read_image
from promptreid.data.load_data import load_data
from promptreid.errors import DataError

BOXES = {"1": (4, 2, 14, 42), "2": (60, 10, 75, 60)}


def bbox(track: str, **attributes: Any) -> dict[str, Any]:
    left, top, right, bottom = BOXES[track]
    return {
        "id": int(track),
        "type": "bbox",
        "attributes": {"track_id": int(track), "occluded": False} | attributes,
        "group": 0,
        "label_id": int(track) - 1,
        "z_order": 0,
        "bbox": [float(left), float(top), float(right - left), float(bottom - top)],
    }


def subset(name: str, count: int = 3, **attributes: Any) -> dict[str, Any]:
    """Return what Datumaro 1.13 writes of frames with two boxes on each."""
    items = [
        {
            "id": f"{name}_{frame:06d}",
            "annotations": [bbox(track, **attributes) for track in BOXES],
            "attr": {"frame": frame},
            "image": {"path": f"{name}_{frame:06d}.png", "size": [SIZE[1], SIZE[0]]},
        }
        for frame in range(count)
    ]
    labels = [{"name": label, "parent": "", "attributes": []} for label in ("person", "dog")]
    return {
        "dm_format_version": "1.0",
        "media_type": 2,
        "infos": {},
        "categories": {"label": {"labels": labels, "label_groups": [], "attributes": []}},
        "items": items,
    }


def write(root: Path, **subsets: dict[str, Any]) -> Path:
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    for name, tree in subsets.items():
        (root / f"annotations/{name}.json").write_text(json.dumps(tree))
        boxes = {f"{name}_{track}": edges for track, edges in BOXES.items()}
        for item in tree["items"]:
            draw_frame(root / "images" / name / f"{item['id']}.png", boxes)
    return root


def test_subsets_are_roles_and_tracks_are_theirs(tmp_path: Path) -> None:
    data = load_data(f"datumaro:{write(tmp_path, train=subset('train'), test=subset('test'))}")
    m = data.manifest
    assert dict(zip(m.identities, m.splits, strict=True)) == {
        f"{name}_{track}": name for name in ("train", "test") for track in BOXES
    }
    assert set(m.boxes) == {(4, 2, 10, 40), (60, 10, 15, 50)}
    assert set(m.attributes["label"]) == {"person", "dog"}
    for row in range(len(m)):
        pixels = read_image(m.image(row)).reshape(3, -1)
        assert pixels.unique(dim=1).T.tolist() == [list(colour_of(m.identities[row]))]
    assert any("of one video" in note for note in data.notes)
    drawn = load_data(f"datumaro:{tmp_path}?split=draw&every=2&classes=dog&train=0")
    assert drawn.manifest.identities == ("test_2",) * 2 + ("train_2",) * 2


def test_an_attribute_names_identities_in_one_file(tmp_path: Path) -> None:
    tree = subset("default", identity="ada", camera="gate")
    for item in tree["items"]:
        item["annotations"][1]["attributes"]["identity"] = "bo"
    tree["items"][2]["annotations"][0]["attributes"]["rotation"] = 30.0
    tree["items"][2]["annotations"].append({"type": "polygon", "points": [0, 0, 9, 9, 0, 9]})
    write(tmp_path, default=tree)
    data = load_data(f"datumaro:{tmp_path / 'annotations/default.json'}?train=0")
    assert sorted(data.manifest.identities) == ["ada"] * 2 + ["bo"] * 3
    assert set(data.manifest.cameras) == {"gate"}
    text = " ".join(data.notes)
    assert not lacking(text, "1 polygon", "1 box is rotated", "'identity'")
    named = load_data(f"datumaro:{tmp_path}?identity=track_id&train=0")
    assert set(named.manifest.identities) == {"1", "2"}


@pytest.mark.parametrize("place", ["images/default", "images", "moved", "/out/images/default"])
def test_pictures_are_found(tmp_path: Path, place: str) -> None:
    """They lie in a folder of the subset or beside it; some versions write the whole path."""
    tree = subset("default", 1)
    if place.startswith("/"):
        tree["items"][0]["image"]["path"] = f"{place}/default_000000.png"
    write(tmp_path, default=tree)
    picture = tmp_path / "images/default/default_000000.png"
    if place in ("images", "moved"):
        (tmp_path / place).mkdir(exist_ok=True)
        picture.rename(tmp_path / place / picture.name)
    options = f"&images={tmp_path / 'moved'}" if place == "moved" else ""
    m = load_data(f"datumaro:{tmp_path}?train=0{options}").manifest
    assert read_image(m.image(0)).shape == (3, 40, 10)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tree: tree.pop("items"), "categories and items"),
        (lambda tree: tree["items"].clear(), "no upright box"),
        (lambda tree: tree["items"][1]["annotations"][0].pop("bbox"),
         r"items\[1\]\.annotations\[0\]\.bbox"),
        (lambda tree: tree["items"][1].pop("image"), r"default_000001\.jpg.*images=DIR"),
        (lambda tree: tree["items"][1]["image"].update(path="gone.png"), r"gone\.png.*images=DIR"),
        (lambda tree: [one["attributes"].pop("track_id") for item in tree["items"]
                       for one in item["annotations"]], "identity=NAME.*side"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, change: Any, words: str) -> None:
    tree = subset("default", side="left")
    write(tmp_path, default=tree)
    change(tree)
    file = tmp_path / "annotations/default.json"
    file.write_text(json.dumps(tree))
    with pytest.raises(DataError, match=words):
        load_data(f"datumaro:{file}")


def test_a_wrong_attribute_is_named(tmp_path: Path) -> None:
    write(tmp_path, default=subset("default", who="ada"))
    with pytest.raises(DataError, match=r"'hwo'.*'who'"):
        load_data(f"datumaro:{tmp_path}?identity=hwo")
