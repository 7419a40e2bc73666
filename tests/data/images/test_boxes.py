"""Images that are parts of pictures: wherever a manifest goes, its boxes go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from facts import lacking
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small_models import INFO, small_backbone

from promptreid.data.dataset import DataSet
from promptreid.data.images.boxes import Box, ImageSource, parse_box
from promptreid.data.images.decode import read_image
from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.images.readable import only_readable
from promptreid.data.inspection.inspect import inspect_data
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.manifest.manifest_files import read_manifest, write_manifest
from promptreid.data.same_data import check_distinct
from promptreid.data.splits.train_on_all import train_on_all
from promptreid.data.splits.unseen import check_unseen
from promptreid.errors import DataError
from promptreid.figures.photographs import read_picture
from promptreid.inference.embed import embed_manifest
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_cache import embedding_key
from promptreid.models.reid import ReIDModel
from promptreid.progress import Silent
from promptreid.training.run.training_data import training_data

WIDTH, HEIGHT = 40, 24
EDGES = st.floats(-60, 60, allow_nan=False)


def picture(number: int) -> np.ndarray:
    return np.random.default_rng([5, number]).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


class Speaker(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def message(self, text: str) -> None:
        self.said.append(text)


@given(left=EDGES, top=EDGES, right=EDGES, bottom=EDGES)
def test_boxes_cut_as_pillow_crops(left: float, top: float, right: float, bottom: float) -> None:
    try:
        box = Box.of_edges(left, top, right, bottom)
    except ValueError:
        assert round(right) <= max(round(left), 0) or round(bottom) <= max(round(top), 0)
        return
    whole = Image.fromarray(picture(0))
    cut = np.asarray(whole.crop((left, top, right, bottom)))
    assert cut.shape[:2] == (box.height, box.width)
    inner = box.within(WIDTH, HEIGHT)
    assert inner is None or inner.within(WIDTH, HEIGHT) == inner
    expected = np.asarray(whole)[max(box.top, 0) : box.top + box.height]
    expected = expected[:, max(box.left, 0) : box.left + box.width]
    assert expected.shape[:2] == ((inner.height, inner.width) if inner else expected.shape[:2])
    assert (inner is None) == (expected.size == 0)
    assert parse_box(str(box)) == box


@pytest.mark.parametrize("edge", [float("nan"), float("inf"), 1e300, -1e8])
def test_edges_of_no_picture(edge: float) -> None:
    with pytest.raises(ValueError, match=r"has an edge that is not between -10,000,000 and"):
        Box.of_edges(0, 0, edge, 5)


def test_pixels_are_those_of_the_upright_picture(tmp_path: Path) -> None:
    box = Box(3, 5, 10, 12)
    file = tmp_path / "a.png"
    Image.fromarray(picture(1)).save(file)
    cut = read_image(ImageSource(file, box))
    assert cut.is_contiguous()
    assert np.array_equal(cut.permute(1, 2, 0).numpy(), picture(1)[5:17, 3:13])
    exif = Image.Exif()
    exif[0x112] = 6  # stored lying on its side: it is seen turned by 90 degrees, 24 x 40 pixels
    Image.fromarray(picture(1)).save(tmp_path / "b.png", exif=exif)
    upright = read_image(tmp_path / "b.png")
    assert tuple(upright.shape) == (3, WIDTH, HEIGHT)
    lower = Box(2, 30, 20, 10)  # fits the upright picture alone
    assert torch.equal(read_image(ImageSource(tmp_path / "b.png", lower)), upright[:, 30:40, 2:22])
    with pytest.raises(UnreadableImage, match=r"box \[2, 30, 20, 10\] lies outside .* 40 x 24 pix"):
        read_image(ImageSource(file, lower))


@pytest.fixture
def cut(tmp_path: Path) -> tuple[DataSet, DataSet]:
    """Two people in every picture, named by boxes; and the same images as files of their own."""
    rows, files = ["path,identity,split,bbox"], ["path,identity,split"]
    for number in range(6):
        Image.fromarray(picture(number)).save(tmp_path / f"{number}.png")
        for side, left in enumerate((0, 20)):
            split = "train" if side == 0 else ("query", "gallery")[number % 2]
            who = f"{'ab'[side]}{number // 2}"
            rows.append(f'{number}.png,{who},{split},"[{left}, 4, 18, 16]"')
            name = f"{number}-{side}.png"
            Image.fromarray(picture(number)[4:20, left : left + 18]).save(tmp_path / name)
            files.append(f"{name},{who},{split}")
    (tmp_path / "boxes.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "files.csv").write_text("\n".join(files) + "\n")
    return load_data(f"csv:{tmp_path}/boxes.csv"), load_data(f"csv:{tmp_path}/files.csv")


def test_whatever_reads_pixels_reads_the_box(cut: tuple[DataSet, DataSet]) -> None:
    boxes, files = (dataset.manifest for dataset in cut)
    assert len(boxes) == len(files) == 12
    embedder = Embedder(ReIDModel(small_backbone()), INFO)
    found = [embed_manifest(embedder, one).vectors for one in (boxes, files)]
    assert torch.equal(*found)
    assert len({tuple(row.tolist()) for row in found[0]}) == 12
    for row in range(12):
        shown = [read_picture(one.image(row), longest=99) for one in (boxes, files)]
        assert np.array_equal(*shown)
    trained = [training_data([one], validation="none", fraction=0.1, seed=0) for one in cut]
    for one, other in zip(trained[0].images, trained[1].images, strict=True):
        assert torch.equal(read_image(one), read_image(other))


def test_caches_tell_boxes_apart(cut: tuple[DataSet, DataSet]) -> None:
    manifest = cut[0].manifest
    embedder = Embedder(ReIDModel(small_backbone()), INFO)
    rows = [manifest.select([row]) for row in (0, 1)]
    same = Manifest.of("m", manifest.root, [Sample("0.png", "x", "train")])
    moved = Manifest.of("m", manifest.root, [Sample("0.png", "x", "train", box=Box(0, 4, 18, 17))])
    near = Manifest.of("m", manifest.root, [Sample("0.png", "x", "train", box=Box(0, 4, 18, 16))])
    keys = {embedding_key(embedder, one) for one in (*rows, same, moved, near)}
    assert len(keys) == 5
    assert len({one.fingerprint() for one in (same, moved, near)}) == 3


def test_boxes_go_with_their_rows(cut: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    manifest = cut[0].manifest
    assert manifest.boxes[:2] == (Box(0, 4, 18, 16), Box(20, 4, 18, 16))
    assert manifest.attributes == {}
    assert manifest.sample(1).box == Box(20, 4, 18, 16)
    assert manifest.select([1, 0]).boxes == (manifest.boxes[1], manifest.boxes[0])
    assert manifest.training().boxes == (Box(0, 4, 18, 16),) * 6
    again = Manifest.of("boxes", manifest.root, list(manifest))
    assert again == manifest
    for kind in ("csv", "parquet"):
        write_manifest(manifest, tmp_path / f"saved.{kind}")
        read = read_manifest(tmp_path / f"saved.{kind}", name="boxes")
        assert read == manifest
        assert read.fingerprint() == manifest.fingerprint()
    assert load_data(f"csv:{tmp_path}/saved.csv").manifest.boxes == manifest.boxes
    used = train_on_all(cut[0]).manifest
    assert len(used) == 12


@pytest.mark.parametrize("cell", ["[1, 2, 3]", "[1, 2, 0, 4]", "x", "{}", "9", "[1e999, 0, 1, 1]"])
def test_a_damaged_box_in_a_saved_manifest(tmp_path: Path, cell: str) -> None:
    file = tmp_path / "saved.csv"
    file.write_text(
        f'path,identity,camera,view,domain,split,box_xywh\na.png,1,,,d,train,"{cell}"\n'
    )
    with pytest.raises(DataError, match=r"saved.csv: box_xywh of row 1 is .*, no box as \[left"):
        read_manifest(file)


def test_one_picture_trains_and_is_tested_in_different_boxes(
    cut: tuple[DataSet, DataSet], tmp_path: Path
) -> None:
    boxes = cut[0]
    assert {"0.png"} <= set(boxes.manifest.where(split="train").paths)
    assert {"0.png"} <= set(boxes.manifest.where(split="query").paths)
    text = (tmp_path / "boxes.csv").read_text().splitlines()
    (tmp_path / "more.csv").write_text(
        "\n".join([*text[:1], *text[2::2]]).replace("query", "train").replace("gallery", "train")
        + "\n"
    )
    other = load_data(f"csv:{tmp_path}/more.csv")
    with pytest.raises(DataError, match=r"6 images train in .*more.csv and are tested in .*boxes"):
        check_distinct([boxes, other])
    (tmp_path / "one.csv").write_text("\n".join([*text[:1], *text[1::2]]) + "\n")
    check_distinct([load_data(f"csv:{tmp_path}/one.csv"), other])
    with pytest.raises(DataError, match=r"6 images that --test .*boxes.csv is scored on train"):
        check_unseen([other], [boxes])
    check_unseen(
        [load_data(f"csv:{tmp_path}/one.csv")],
        [
            boxes.__class__(
                boxes.spec,
                boxes.manifest.where(split=("query", "gallery")),
                boxes.protocol.compact()[1] if boxes.protocol else None,
            )
        ],
    )


def test_an_image_is_a_picture_and_a_box() -> None:
    root = Path("/m")
    same = [Sample("1.png", "a", "train", box=Box(0, 0, 2, 2))] * 2
    with pytest.raises(DataError, match=r"1.png, box \[0, 0, 2, 2\] is listed twice in split 'tr"):
        Manifest.of("m", root, same)
    other = Sample("1.png", "b", "query", box=Box(0, 0, 2, 2))
    with pytest.raises(DataError, match=r"1 images are in both train and query"):
        Manifest.of("m", root, [same[0], other])
    with pytest.raises(DataError, match=r"boxes has 1"):
        Manifest(
            "m",
            root,
            ("1", "2"),
            ("a", "b"),
            (None,) * 2,
            (None,) * 2,
            ("d",) * 2,
            ("train",) * 2,
            boxes=(None,),
        )
    with pytest.raises(DataError, match=r"An attribute cannot be named 'box_xywh'"):
        Manifest.of("m", root, [Sample("1", "a", "train", attributes={"box_xywh": ""})])


def test_what_lies_beyond_a_picture_is_clipped_and_counted(tmp_path: Path) -> None:
    rows = ["path,identity,split,left,top,right,bottom"]
    for number, edges in enumerate(("0,0,40,24", "30,10,50,30", "-5,-5,9,9", "41,0,50,9")):
        Image.fromarray(picture(number)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{number},train,{edges}")
    rows.append("0.png,9,train,,,,")
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    data = load_data(f"csv:{tmp_path}/a.csv")
    assert any("4 of 5 images are cut out" in note for note in data.notes)
    assert tuple(read_image(data.manifest.image(1)).shape) == (3, 14, 10)
    assert tuple(read_image(data.manifest.image(2)).shape) == (3, 9, 9)
    assert tuple(read_image(data.manifest.image(4)).shape) == (3, 24, 40)
    found = inspect_data(data)
    assert not lacking(found.warnings[0], "2 of 4 boxes", "clipped", "1.png", "[30, 10, 20, 20]")
    assert [(one.path, one.reason) for one in found.unreadable] == [
        (
            "3.png, box [41, 0, 9, 9]",
            "its box [41, 0, 9, 9] lies outside of the picture, which is 40 x 24 pixels",
        )
    ]
    speaker = Speaker()
    with pytest.raises(DataError, match=r"1 of 5 images .* cannot be read:\n.*lies outside of the"):
        only_readable(data, policy="stop", progress=speaker)
    assert "2 of 5 boxes reach beyond their pictures and are clipped" in speaker.said[0]
    assert len(only_readable(data, policy="skip", progress=speaker).manifest) == 4


def test_equal_files_with_different_boxes_are_different_images(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.fromarray(picture(0)).save(tmp_path / f"{name}.png")
    samples = [
        Sample("a.png", "1", "train", box=Box(0, 0, 9, 9)),
        Sample("a.png", "2", "train", box=Box(9, 0, 9, 9)),
        Sample("b.png", "3", "train", box=Box(18, 0, 9, 9)),
        Sample("b.png", "4", "train", box=Box(9, 0, 9, 9)),
    ]
    found = inspect_data(DataSet("x", Manifest.of("m", tmp_path, samples), None))
    assert [group.identities for group in found.duplicates] == [("2", "4")]
    assert found.duplicates[0].paths == ("a.png, box [9, 0, 9, 9]", "b.png, box [9, 0, 9, 9]")
