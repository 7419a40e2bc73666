"""Rectangles of Label Studio that move through videos become images on their frames."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from promptreid.data.images.decode import read_image
from promptreid.data.load_data import load_data
from promptreid.errors import DataError

pytest.importorskip("av", reason="av is not installed: promptreid[video]")
from small_videos import SIZE, write_video

GREY = (128, 128, 128)
RATE, LENGTH = 10, 12  # of the video


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    write_video(root / "upload" / "ab-front.mp4", [GREY] * LENGTH)
    return root


def key(frame: int, left: float, *, enabled: bool = True, **values: Any) -> dict[str, Any]:
    sides = {"x": left, "y": 25, "width": 25, "height": 50, "rotation": 0}
    return sides | {"frame": frame, "enabled": enabled, "time": frame / RATE} | values


def track(name: str, *keys: dict[str, Any], count: int = LENGTH) -> dict[str, Any]:
    value = {"labels": ["person"], "framesCount": count, "duration": LENGTH / RATE}
    return {
        "id": name,
        "type": "videorectangle",
        "from_name": "box",
        "value": value | {"sequence": list(keys)},
    }


def says(name: str, control: str, words: str) -> dict[str, Any]:
    return {"id": name, "type": "textarea", "from_name": control, "value": {"text": [words]}}


def read(videos: Path, tmp_path: Path, result: Sequence[dict[str, Any]], options: str = ""):
    task = {"data": {"video": "/data/upload/1/ab-front.mp4"}, "annotations": [{"result": result}]}
    file = tmp_path / "export.json"
    file.write_text(json.dumps([task]))
    options = f"images={videos}&cache={tmp_path / 'frames'}&train=0{options}"
    return load_data(f"label_studio:{file}?{options}")


def lefts(data) -> dict[str, dict[int, int]]:
    """Return the left edges of each identity by the number of the frame, from 0."""
    m = data.manifest
    by_identity: dict[str, dict[int, int]] = {}
    for identity, frame, box in zip(m.identities, m.attributes["frame"], m.boxes, strict=True):
        by_identity.setdefault(identity.rpartition("_")[2], {})[int(frame)] = box[0]
    return by_identity


def test_sides_move_evenly_between_key_frames(videos: Path, tmp_path: Path) -> None:
    data = read(
        videos,
        tmp_path,
        [
            track("a", key(3, 0), key(7, 50, enabled=False)),  # gone behind frame 7
            track("b", key(9, 75), key(1, 25, enabled=False)),  # in any order; up to the end
            track("c", key(5, 50, enabled=False), key(7, 25), key(8, 25, enabled=False)),
        ],
    )
    share = SIZE[0] / 100  # pixels of one percent
    assert lefts(data) == {
        "a": {frame: round((frame - 2) * 12.5 * share) for frame in range(2, 7)},
        "b": {0: 25 * share} | dict.fromkeys(range(8, LENGTH), 75 * share),
        "c": {4: 50 * share, 6: 25 * share, 7: 25 * share},
    }
    m = data.manifest
    assert set(m.identities) == {f"upload/ab-front.mp4_{name}" for name in "abc"}
    assert {box[1:] for box in m.boxes} == {(12, 16, 24)}
    assert set(m.attributes["label"]) == {"person"}
    assert set(m.cameras) == {None}
    assert len(list((tmp_path / "frames").rglob("*.jpg"))) == len(set(m.paths))
    assert any("of one video" in note for note in data.notes)
    assert tuple(read_image(m.image(0)).shape) == (3, 24, 16)


def test_a_control_that_says_who_is_shown(videos: Path, tmp_path: Path) -> None:
    result = [
        *(track("a", key(1, 0)), says("a", "Identity", "ada"), says("a", "side", "left")),
        *(track("b", key(1, 50)), says("b", "Identity", "bo")),
    ]
    data = read(videos, tmp_path, result, "&every=5")
    assert set(data.manifest.identities) == {"ada", "bo"}
    assert set(data.manifest.cameras) == {"ab-front"}
    assert set(data.manifest.attributes["side"]) == {"left", ""}
    assert set(data.manifest.attributes["frame"]) == {"0", "5", "10"}
    assert len(list((tmp_path / "frames").rglob("*.jpg"))) == 3


def test_frames_that_are_counted_at_another_rate_are_those_shown_then(
    videos: Path, tmp_path: Path
) -> None:
    """Label Studio numbers frames by the rate of its settings, whatever that of the file is."""
    tracks = [track(name, key(1, 0), key(21, 50), count=2 * LENGTH) for name in "ab"]
    tracks[1]["value"]["sequence"] = [key(13, 75, enabled=False)]
    found = lefts(read(videos, tmp_path, tracks))
    assert sorted(found["a"]) == list(range(LENGTH))
    assert found["a"][10] == 50 * SIZE[0] / 100
    assert list(found["b"]) == [6]


def test_rotated_ones_are_counted_and_left_out(videos: Path, tmp_path: Path) -> None:
    turned = track("a", key(1, 0), key(4, 0, rotation=20, enabled=False))
    data = read(videos, tmp_path, [turned, track("b", key(2, 50, enabled=False))])
    assert lefts(data) == {"a": {0: 0}, "b": {1: 32}}
    assert any("3 rectangles are rotated" in note for note in data.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda result: result[0]["value"].update(sequence=[]), "no key frame"),
        (lambda result: result[0]["value"]["sequence"][0].update(frame=0), "counted from 1"),
        (lambda result: result[0]["value"]["sequence"][0].pop("x"), r"sequence\[0\]"),
        (lambda result: result[0]["value"]["sequence"][0].update(frame=99), "end.*missing=skip"),
        (lambda result: result.append({**result[0], "id": "z", "type": "rectanglelabels"}),
         "1 rectangles on videos and 1 on images"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(videos: Path, tmp_path: Path, change: Any, words: str) -> None:
    result = [track("a", key(2, 0))]
    change(result)
    with pytest.raises(DataError, match=words):
        read(videos, tmp_path, result)


def test_missing_videos_are_named(videos: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "other" / "back.mp4", [GREY])
    with pytest.raises(DataError, match=r"back\.mp4.*images=DIR"):
        read(tmp_path / "other", tmp_path, [track("a", key(1, 0))])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no video.*images=DIR"):
        read(tmp_path / "empty", tmp_path, [track("a", key(1, 0))])
