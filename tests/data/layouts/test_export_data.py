"""What is written is read back as the same data set, and nothing half-written looks whole."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from facts import lacking
from hypothesis import given, settings
from hypothesis import strategies as st
from marked_frames import colour_of, write_sequence
from PIL import Image

from promptreid.cli.main import cli
from promptreid.data.dataset import DataSet
from promptreid.data.images.boxes import Box
from promptreid.data.images.decode import read_image
from promptreid.data.layouts import export_data as exporting
from promptreid.data.layouts.export_data import export_data
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.errors import ConfigError, DataError

NAMES = ["7", "007", "anna", "Bob", "con", "a/b", "-1", "unknown", "x.", "é", "12345678901", "a b"]


def picture(number: int, kind: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    pixels = np.full((8, 6, 3), (number % 256, 90, 200), np.uint8)
    pixels[2:6, 1:4] = (20, number % 256, 60)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@st.composite
def rows(draw: st.DrawFn) -> list[Sample]:
    """Rows of which identities of training are others than those of testing."""
    people = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=5, unique=True))
    cameras = draw(st.sampled_from([(None,), ("1", "2"), ("gate", "1", None), ("10", "3")]))
    samples = []
    for place, person in enumerate(people):
        trained = draw(st.sampled_from((["train"], ["query", "gallery"], ["distractor"])))
        for number in range(draw(st.integers(1, 3))):
            samples.append(
                Sample(
                    path=f"in/{person}/{place}{number}.jpg",
                    identity=person,
                    split=draw(st.sampled_from(trained)),
                    camera=draw(st.sampled_from(cameras)),
                    view=draw(st.sampled_from([None, "front", "nan"])),
                    domain=draw(st.sampled_from(["", "north"])) if place == 0 else "",
                    attributes={"note": draw(st.sampled_from(["", "nan", "a,b", '"q" x']))},
                    box=Box(1, 2, 3, 4) if draw(st.booleans()) else None,
                )
            )
    return samples


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture for every row that may be drawn."""
    root = tmp_path_factory.mktemp("originals")
    for at, (name, place, number) in enumerate(
        (name, place, number) for name in NAMES for place in range(5) for number in range(3)
    ):
        file = root / f"in/{name}/{place}{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(at))
    return root


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(samples=rows(), layout=st.sampled_from(["market1501", "csv", "folders"]))
def test_what_is_written_reads_back(
    originals: Path, tmp_path_factory: pytest.TempPathFactory, samples: list[Sample], layout: str
) -> None:
    manifest = Manifest.of("mixed", originals, samples)
    out = tmp_path_factory.mktemp("out") / "set"
    written = export_data(DataSet("", manifest, None), out, layout=layout, wide=True)
    assert written.images == len(manifest)
    back = load_data(written.spec).manifest
    assert len(back) == len(manifest)
    if layout == "csv":
        for column in ("identities", "cameras", "views", "domains", "splits", "attributes"):
            assert getattr(back, column) == getattr(manifest, column), column
        pairs = list(zip(range(len(back)), range(len(back)), strict=True))
    else:
        pairs = match_by_pixels(back, manifest)
    for ours, theirs in pairs:
        if manifest.boxes[theirs] is None:
            assert back.path(ours).read_bytes() == manifest.path(theirs).read_bytes()
        else:
            assert read_image(back.image(ours)).shape == (3, 4, 3)
    check_partition(back, manifest, layout)


def match_by_pixels(back: Manifest, manifest: Manifest) -> list[tuple[int, int]]:
    """Pair the rows of two manifests whose files are equal; cut ones are left out."""
    whole = {
        manifest.path(row).read_bytes(): row
        for row in range(len(manifest))
        if manifest.boxes[row] is None
    }
    return [
        (row, whole[data])
        for row in range(len(back))
        if (data := back.path(row).read_bytes()) in whole
    ]


def check_partition(back: Manifest, manifest: Manifest, layout: str) -> None:
    """Groups of images that show one identity have the sizes and roles that they had."""

    def groups(of: Manifest) -> Counter:
        by_key: dict[object, list[str]] = {}
        for row, key in enumerate(of.identity_keys()):
            split = of.splits[row]
            if layout == "market1501":
                if split == "distractor" or (of is back and key[1] == "0"):
                    key, split = "nobody", "gallery"
                split = "train" if split == "val" else split
            by_key.setdefault(key, []).append(split)
        return Counter(tuple(sorted(splits)) for splits in by_key.values())

    assert groups(back) == groups(manifest)


def test_market_names_number_identities_and_cameras(tmp_path: Path) -> None:
    samples = [
        Sample("a.png", "=anna", "train", "gate"),
        Sample("b.jpg", "bob", "query", "door"),
        Sample("c.jpg", "bob", "gallery", "gate"),
        Sample("d.jpg", "x", "distractor", "gate"),
    ]
    for number, sample in enumerate(samples):
        kind = "PNG" if sample.path.endswith("png") else "JPEG"
        (tmp_path / sample.path).write_bytes(picture(number, kind))
    data = DataSet("", Manifest.of("m", tmp_path, samples), None)
    written = export_data(data, tmp_path / "out", layout="market1501")
    names = {path.relative_to(tmp_path / "out").as_posix() for path in written.folder.rglob("*.*")}
    assert names == {
        "bounding_box_train/0001_c2s1_000001_00.jpg",
        "query/0002_c1s1_000001_00.jpg",
        "bounding_box_test/0002_c2s1_000001_00.jpg",
        "bounding_box_test/0000_c2s1_000001_00.jpg",
        "identities.csv",
        "cameras.csv",
    }
    assert (written.folder / "identities.csv").read_text() == "number,name\n1,'=anna\n2,bob\n"
    assert (written.folder / "cameras.csv").read_text() == "number,name\n1,door\n2,gate\n"
    assert written.copied == 3
    assert any("1 image was encoded" in note for note in written.notes)
    with Image.open(written.folder / "bounding_box_train/0001_c2s1_000001_00.jpg") as image:
        assert image.format == "JPEG"


def many_cameras(root: Path, count: int) -> DataSet:
    (root / "a.jpg").write_bytes(picture(0))
    rows = [Sample(f"{number}.jpg", "1", "train", f"c{number}") for number in range(count)]
    for sample in rows:
        (root / sample.path).write_bytes(picture(1))
    return DataSet("", Manifest.of("m", root, rows), None)


def test_more_than_nine_cameras_need_two_digits(tmp_path: Path) -> None:
    data = many_cameras(tmp_path, 12)
    with pytest.raises(DataError) as caught:
        export_data(data, tmp_path / "out", layout="market1501")
    assert not lacking(str(caught.value), "12 cameras", "--wide", "csv")
    assert not (tmp_path / "out").exists()
    written = export_data(data, tmp_path / "out", layout="market1501", wide=True)
    assert len(set(load_data(written.spec).manifest.cameras)) == 12


def test_drawn_roles_are_kept_by_tables_and_taken_once_by_market(tmp_path: Path) -> None:
    write_sequence(
        tmp_path / "mot/A", [{str(t): (10 * t, 5, 10 * t + 8, 50) for t in range(1, 7)}] * 4
    )
    data = load_data(f"mot:{tmp_path / 'mot'}?every=1&min_height=0")
    csv = export_data(data, tmp_path / "csv", layout="csv")
    back = load_data(csv.spec)
    assert back.manifest.name == data.manifest.name
    assert data.protocol is not None
    assert back.protocol is not None
    assert back.protocol.repeats == data.protocol.repeats
    drawn = "every=1&min_height=0&seed=5&repeats=3&gallery_per_identity=2"
    data = load_data(f"mot:{tmp_path / 'mot'}?{drawn}")
    again = load_data(export_data(data, tmp_path / "again", layout="csv").spec)
    assert data.protocol is not None
    assert again.protocol is not None
    assert again.protocol.repeats == data.protocol.repeats
    data = load_data(f"mot:{tmp_path / 'mot'}?every=1&min_height=0")
    assert data.protocol is not None
    for row in range(len(back.manifest)):
        colour = np.array(colour_of(back.manifest.identities[row]))
        mean = read_image(back.manifest.image(row)).float().mean(dim=(1, 2)).numpy()
        assert abs(mean - colour).max() < 3
    market = export_data(data, tmp_path / "market", layout="market1501")
    assert market.spec.endswith("same_camera=keep")
    assert any("10 draws" in note for note in market.notes)
    repeat = data.protocol.repeats[0]
    counts = load_data(market.spec).manifest.counts()
    assert counts["query"]["images"] == len(repeat.query)
    assert counts["gallery"]["images"] == len(repeat.gallery)
    apart = export_data(data, tmp_path / "apart", layout="market1501", apart=True)
    m = load_data(apart.spec).manifest
    assert {m.cameras[row] for row in m.indices("query")} == {"1"}
    assert {m.cameras[row] for row in m.indices("gallery")} == {"2"}


def test_nothing_is_overwritten_and_nothing_half_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = many_cameras(tmp_path, 3)
    out = tmp_path / "out"
    out.mkdir()
    export_data(data, out, layout="csv")
    before = sorted(out.rglob("*"))
    with pytest.raises(DataError, match="not overwritten"):
        export_data(data, out, layout="csv")
    assert sorted(out.rglob("*")) == before

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "_write_tables", stop)
    with pytest.raises(KeyboardInterrupt):
        export_data(data, tmp_path / "new", layout="csv")
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(DataError, match=r"1\.jpg"):
        export_data(data, tmp_path / "new", layout="csv")
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(ConfigError, match="market1501"):
        export_data(data, tmp_path / "new", layout="market")


def test_closed_sets(tmp_path: Path) -> None:
    rows = "".join(f"{n}.jpg,{'ab'[n % 2]},{'train' if n < 4 else 'query'}\n" for n in range(6))
    (tmp_path / "t.csv").write_text("path,identity,split\n" + rows)
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(picture(number))
    data = load_data(f"csv:{tmp_path / 't.csv'}?identities=closed")
    with pytest.raises(DataError, match="closed set"):
        export_data(data, tmp_path / "m", layout="market1501")
    for layout in ("csv", "folders"):
        written = export_data(data, tmp_path / layout, layout=layout)
        assert load_data(written.spec).manifest.closed


def test_the_command(tmp_path: Path) -> None:
    write_sequence(tmp_path / "mot/A", [{"1": (4, 5, 30, 50), "2": (40, 5, 60, 50)}] * 3)
    spec, out = f"mot:{tmp_path / 'mot'}?every=1&min_height=0", tmp_path / "out"
    words = ["data", "export", spec, str(out), "--layout", "market1501"]
    done = CliRunner().invoke(cli, [*words, "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert (result["images"], result["identities"], result["copied"]) == (6, 2, 0)
    assert len(load_data(result["spec"]).manifest) == 6
    assert any("--cameras-apart" in note for note in result["notes"])
    again = CliRunner().invoke(cli, words)
    assert isinstance(again.exception, DataError)
