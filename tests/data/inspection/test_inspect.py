from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from promptreid.data.dataset import DataSet
from promptreid.data.images.decode import read_image
from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.inspection import file_checks
from promptreid.data.inspection.file_checks import check_files
from promptreid.data.inspection.inspect import inspect_data, render_text
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import Protocol, Repeat
from promptreid.progress import Silent


def picture(seed: int, size: tuple[int, int] = (24, 16)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(256, size=(*size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Two training people, query person 5, distractors."""
    names = [
        "bounding_box_train/0001_c1s1_0_0.jpg",
        "bounding_box_train/0001_c2s1_0_0.jpg",
        "bounding_box_train/0002_c1s1_0_0.jpg",
        "query/0005_c1s1_0_0.jpg",
        "bounding_box_test/0005_c2s1_0_0.jpg",
        "bounding_box_test/0005_c1s1_1_0.jpg",
        "bounding_box_test/0000_c3s1_0_0.jpg",
    ]
    for seed, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture(seed).save(tmp_path / name)
    return tmp_path


def test_a_good_data_set(people: Path) -> None:
    found = inspect_data(load_data(f"market1501:{people}"))
    assert found.ok
    assert (found.unreadable, found.duplicates, found.warnings, found.problems) == ((), (), (), ())
    assert found.images_checked
    train, query, gallery = found.splits
    assert (train.split, train.images, train.identities, train.cameras) == ("train", 3, 2, 2)
    assert train.per_identity == (1, 1.5, 2)
    assert train.histogram == {"1": 1, "2": 1}
    assert (query.images, gallery.images, gallery.identities) == (1, 3, 2)
    assert found.protocol is not None
    assert found.protocol.queries == (1, 1)
    assert found.protocol.gallery == (3, 3)
    assert found.protocol.gallery_identities == (2, 2)


def test_pictures_are_decoded_by_the_cores_that_the_process_may_use(
    people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 192)  # of the machine, around a container
    sizes = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, size: int | None = None, *words: Any, **options: Any) -> None:
            sizes.append(size or options.get("max_workers"))
            super().__init__(size, *words, **options)

    monkeypatch.setattr(file_checks, "ThreadPoolExecutor", Pool)
    inspect_data(load_data(f"market1501:{people}"))
    assert sizes == [1]


def test_everything_goes_to_json(people: Path) -> None:
    found = inspect_data(load_data(f"market1501:{people}"))
    content = json.loads(json.dumps(found.to_dict()))
    assert content["ok"] is True
    assert content["splits"][0]["histogram"] == {"1": 1, "2": 1}
    assert content["protocol"]["name"] == "market1501"
    assert content["fingerprint"] == load_data(f"market1501:{people}").manifest.fingerprint()


def test_text_says_it_all(people: Path) -> None:
    (people / "query/0005_c1s1_0_0.jpg").write_bytes(b"junk")
    text = render_text(inspect_data(load_data(f"market1501:{people}")))
    for words in (
        "market1501  7 images in",
        "split    identities  images  cameras",
        "train             2       3        2      -     1..1.5..2  1: 1  2: 1",
        "protocol market1501: 1 repeat(s), 1 queries, 3 gallery images of 2 identities",
        "Unreadable images (1)\n  query/0005_c1s1_0_0.jpg: its contents are in no known image",
        "Problems (1)\n  1 images cannot be read",
        "NOT USABLE",
    ):
        assert words in text, words
    quick = render_text(inspect_data(load_data(f"market1501:{people}"), check_images=False))
    assert quick.endswith("ok")
    assert "Images were not opened." in quick


def test_cameras_and_views_are_named_in_their_order(tmp_path: Path) -> None:
    cameras = ["gate6", "10", "9", "gate6", None]
    samples = [
        Sample(f"{row}.jpg", str(row), "train", camera, view="front\u200b" if row == 3 else None)
        for row, camera in enumerate(cameras)
    ]
    data = DataSet("toy:/", Manifest.of("toy", tmp_path, samples), None)
    found = inspect_data(data, check_images=False)
    assert found.to_dict()["cameras"] == {"9": 1, "10": 1, "gate6": 2}
    text = render_text(found)
    assert "cameras (images): 9 (1), 10 (1), gate6 (2)\n" in text
    assert "views (images): front\\u200b (1)\n" in text


def test_unreadable_files_are_named(people: Path) -> None:
    files = sorted(people.rglob("*.jpg"))
    files[0].write_bytes(files[0].read_bytes()[:-200])
    files[1].write_bytes(b"")
    files[2].unlink()
    data = load_data(f"market1501:{people}")
    (people / data.manifest.paths[0]).unlink()
    found = inspect_data(data)
    assert not found.ok
    reasons = {item.path: item.reason for item in found.unreadable}
    assert len(reasons) == 3
    assert sorted(reasons.values())[-2:] == ["the file is empty", "there is no such file"]
    assert any("truncated" in reason for reason in reasons.values())
    assert found.problems[0].startswith("3 images cannot be read, e.g. ")


def save(kind: str, **options) -> Callable[[Path], None]:
    return lambda path: picture(0).convert(kind).save(path, **options)


def cut(kind: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        picture(0).save(path, kind)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])

    return write


FILES = {
    "rgb.jpg": save("RGB"),
    "grey.jpg": save("L"),
    "cmyk.jpg": save("CMYK"),
    "rgba.png": save("RGBA"),
    "palette.png": save("P"),
    "bits16.png": lambda p: Image.fromarray(np.arange(96, dtype=np.uint16).reshape(8, 12)).save(p),
    "two.gif": save("P"),
    "image.webp": save("RGB", lossless=True),
    "float.tif": save("F"),
    "int32.tif": save("I"),
    "cut.jpg": cut("JPEG"),
    "cut.png": cut("PNG"),
    "text.jpg": lambda p: p.write_text("no image"),
    "header.jpg": lambda p: p.write_bytes(b"\xff\xd8\xff\xe0junk"),
}


def why_unreadable(path: Path) -> str:
    """Why inspection refuses an image; empty where it does not."""
    manifest = Manifest.of("toy", path.parent, [Sample(path.name, "1", "train")])
    return "".join(refused.reason for refused in check_files(manifest, Silent())[0])


@pytest.mark.parametrize("name", list(FILES))
def test_inspection_refuses_what_training_refuses(tmp_path: Path, name: str) -> None:
    FILES[name](tmp_path / name)
    try:
        read_image(tmp_path / name)
        readable = True
    except UnreadableImage:
        readable = False
    reason = why_unreadable(tmp_path / name)
    assert (reason == "") == readable, reason


def test_equal_files(people: Path) -> None:
    one = (people / "bounding_box_train/0001_c1s1_0_0.jpg").read_bytes()
    (people / "bounding_box_train/0002_c1s1_0_0.jpg").write_bytes(one)
    found = inspect_data(load_data(f"market1501:{people}"))
    assert found.ok
    (group,) = found.duplicates
    assert group.identities == ("1", "2")
    assert not group.leak
    assert any("1 groups of files have equal bytes" in text for text in found.warnings)
    assert any("carry different identities" in text for text in found.warnings)

    (people / "query/0005_c1s1_0_0.jpg").write_bytes(one)
    found = inspect_data(load_data(f"market1501:{people}"))
    assert not found.ok
    assert found.duplicates[0].leak
    assert "both training and test under different names" in found.problems[0]


def score(rows: list[tuple], same_camera: str, query: list[int], gallery: list[int]) -> DataSet:
    """Rows are (identity, camera[, domain])."""
    manifest = Manifest.of(
        "toy",
        Path("/data"),
        (
            Sample(f"{n}.jpg", r[0], "test", r[1], domain=r[2] if len(r) > 2 else "")
            for n, r in enumerate(rows)
        ),
    )
    repeat = Repeat(np.array(query), np.array(gallery))
    return DataSet("toy:/", manifest, Protocol("p", (repeat, repeat), same_camera, "step"))


ROWS = [
    ("a", "in"), ("b", "in"), ("c", "in"), ("d", None),
    ("a", "out"), ("b", "in"), ("d", None), ("c", "in", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "same"), [("exclude", 1), ("keep", 0)])
def test_queries_without_match_by_reason(rule: str, same: int) -> None:
    found = inspect_data(score(ROWS, rule, [0, 1, 2, 3], [4, 5, 6, 7]), check_images=False)
    assert found.protocol is not None
    # c is in the gallery only under another domain; d's camera is unknown, so it is never the same.
    assert (found.protocol.absent, found.protocol.same_camera_only) == (2, 2 * same)
    assert found.protocol.total_queries == 8
    assert found.protocol.examples == (("1.jpg", "2.jpg") if same else ("2.jpg",))
    assert found.ok
    lost = 2 + 2 * same
    assert any(f"{lost} of 8 queries can have no match: 2 because" in t for t in found.warnings)


def test_no_query_with_a_match_is_a_problem() -> None:
    rows = [("a", "0"), ("b", "0"), ("a", "0"), ("b", "0")]
    found = inspect_data(score(rows, "exclude", [0, 1], [2, 3]), check_images=False)
    assert not found.ok
    assert found.problems == ("No query can have a match. Try same_camera=keep.",)
    assert inspect_data(score(rows, "keep", [0, 1], [2, 3]), check_images=False).ok


def test_match_counts_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        rows = [
            (str(rng.integers(4)), [None, "0", "1", "2"][rng.integers(4)], "xy"[rng.integers(2)])
            for _ in range(16)
        ]
        order = rng.permutation(16)
        query, gallery = order[:6].tolist(), order[6:].tolist()
        absent = own = 0
        for q in query:
            mine = [g for g in gallery if (rows[g][0], rows[g][2]) == (rows[q][0], rows[q][2])]
            kept = [g for g in mine if rows[g][1] is None or rows[g][1] != rows[q][1]]
            absent += not mine
            own += bool(mine) and not kept
        found = inspect_data(score(rows, "exclude", query, gallery), check_images=False)
        assert found.protocol is not None
        assert (found.protocol.absent, found.protocol.same_camera_only) == (2 * absent, 2 * own)


def test_nothing_to_train_or_test_on(tmp_path: Path) -> None:
    one = Manifest.of("toy", tmp_path, [Sample("a.jpg", "1", "train")])
    found = inspect_data(DataSet("s", one, None), check_images=False)
    assert found.ok
    assert "Only one training identity: training needs at least two." in found.warnings
    assert "There is nothing to test on." in found.warnings
    query = Manifest.of("toy", tmp_path, [Sample("a.jpg", "1", "query")])
    found = inspect_data(DataSet("s", query, None), check_images=False)
    assert found.problems == ("There is nothing to train on and nothing to test on.",)


def test_a_file_that_is_query_and_gallery(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(ord(name)).save(tmp_path / f"{name}.png")
    table = "path,identity,split\na.png,1,query\na.png,1,gallery\nb.png,2,gallery\n"
    (tmp_path / "t.csv").write_text(table)
    found = inspect_data(load_data(f"csv:{tmp_path / 't.csv'}"))
    assert any("1 files are both query and gallery, e.g. a.png" in t for t in found.warnings)
    assert found.duplicates == ()


@pytest.mark.parametrize("suffix", ["png", "gif", "tiff", "ppm", "tga", "webp"])
def test_images_are_refused_alike_when_inspected_and_when_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    picture(0, (17, 23)).save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        for place in rng.integers(0, min(len(data), 90), 3):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            read_image(path)
            readable = True
        except UnreadableImage:
            readable = False
        refused += not readable
        assert (why_unreadable(path) == "") == readable
    assert refused > 5
