from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.manifest.manifest_files import read_manifest, write_manifest
from promptreid.data.manifest.sample_columns import CORE_COLUMNS
from promptreid.errors import DataError


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    odd = {"note": 'comma, "quote"\nline', "köln": "é "}
    return Manifest.of(
        "odd",
        tmp_path,
        [
            Sample("x/a 1.jpg", "007", "train", camera="gate 6", view=None, attributes=odd),
            Sample("x/b,c.jpg", "wörk", "query", camera=None, view="-1", domain="site/2"),
            Sample("x/d.jpg", "-5", "gallery", attributes={"note": ""}),
        ],
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_round_trip(manifest: Manifest, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"odd.{kind}"
    write_manifest(manifest, file)
    again = read_manifest(file)
    assert again == manifest
    assert again.fingerprint() == manifest.fingerprint()
    other = read_manifest(file, name="n", root=Path("/r"))
    assert (other.name, other.root) == ("n", Path("/r"))
    write_manifest(manifest, file, absolute=True)
    assert read_manifest(file).paths[0] == str(tmp_path / "x/a 1.jpg")


def test_csv_has_the_agreed_columns(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(manifest, tmp_path / "m.csv")
    lines = (tmp_path / "m.csv").read_text(encoding="utf-8").split("\n")
    assert lines[0] == "path,identity,camera,view,domain,split,note,köln"
    assert lines[-2] == "x/d.jpg,-5,,,odd,gallery,,"


def test_a_saved_manifest_is_a_csv_data_set(tmp_path: Path) -> None:
    names = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    for name in names:
        (tmp_path / "images" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "images" / name).touch()
    splits = ("train", "train", "query", "gallery")
    identities = ("1", "2", "3", "3")
    manifest = Manifest.of(
        "saved",
        tmp_path / "images",
        (
            Sample(name, identity, split, camera, attributes={"age": "4"})
            for name, identity, split, camera in zip(
                names, identities, splits, ("0", "1", "0", "1"), strict=True
            )
        ),
    )
    write_manifest(manifest, tmp_path / "saved.csv")
    data = load_data(f"csv:{tmp_path / 'saved.csv'}?root={tmp_path / 'images'}")
    assert data.manifest == manifest
    write_manifest(manifest, tmp_path / "moved.csv", absolute=True)
    moved = load_data(f"csv:{tmp_path / 'moved.csv'}").manifest
    assert moved.path(2) == tmp_path / "images/c.jpg"
    assert moved.identities == manifest.identities


def test_nothing_half_written(manifest: Manifest, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "m.csv"
    write_manifest(manifest, file)
    before = file.read_bytes()

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DataError, match=r"m.csv cannot be written: No space left on device"):
        write_manifest(manifest.select([0]), file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.csv"]


def test_no_folder_to_write_to(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be written: there is no folder .*absent"):
        write_manifest(manifest, tmp_path / "absent/m.csv")


def test_parquet_without_pyarrow(manifest: Manifest, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'promptreid\[parquet\]', or use CSV"):
        write_manifest(manifest, tmp_path / "m.parquet")


@pytest.mark.parametrize(("column", "cell"), [("path", 7), ("domain", None), ("age", 3.5)])
def test_parquet_that_holds_no_text(tmp_path: Path, column: str, cell: object) -> None:
    arrow = pytest.importorskip("pyarrow")
    row = dict.fromkeys(("path", "identity", "domain", "age"), "a") | {"split": "train"}
    row |= {"camera": None, "view": None, column: cell}
    arrow.parquet.write_table(arrow.Table.from_pylist([row]), tmp_path / "m.parquet")
    with pytest.raises(DataError, match=rf"{column} of row 1 is .*{cell}.*, not text"):
        read_manifest(tmp_path / "m.parquet")


def test_parquet_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "m.parquet").write_text("no")
    with pytest.raises(DataError, match=r"cannot be read as Parquet"):
        read_manifest(tmp_path / "m.parquet")
    with pytest.raises(DataError, match=r"cannot be read as Parquet"):
        read_manifest(tmp_path / "absent.parquet")


def test_strict_reading_names_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("path,identity\na,1\n")
    with pytest.raises(DataError, match=r"lacks the columns camera, view, domain, split"):
        read_manifest(file)
    with pytest.raises(DataError, match=r"cannot be read: No such file"):
        read_manifest(tmp_path / "absent.csv")


TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NAMES = TEXT.map(str.strip).filter(bool)
PARTS = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    rows=st.lists(st.tuples(PARTS, NAMES, NAMES, st.none() | NAMES), min_size=1, max_size=5),
    columns=st.dictionaries(
        TEXT.filter(lambda name: bool(name.strip()) and name not in CORE_COLUMNS),
        st.lists(TEXT, min_size=5, max_size=5),
        max_size=3,
    ),
)
def test_any_manifest_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str, str | None]],
    columns: dict[str, list[str]],
) -> None:
    folder = tmp_path_factory.mktemp("any")
    manifest = Manifest.of(
        "any",
        folder,
        (
            Sample(
                f"{number}/-{part}",
                identity,
                "gallery",
                camera=camera,
                domain=domain,
                attributes={name: cells[number] for name, cells in columns.items()},
            )
            for number, (part, identity, domain, camera) in enumerate(rows)
        ),
    )
    write_manifest(manifest, folder / "any.csv")
    assert read_manifest(folder / "any.csv") == manifest


def test_names_that_are_no_text_come_back(tmp_path: Path) -> None:
    manifest = Manifest.of("odd", tmp_path, [Sample("a\udce9\udcff.jpg", "1", "train")])
    write_manifest(manifest, tmp_path / "odd.csv")
    assert b"a\xe9\xff.jpg" in (tmp_path / "odd.csv").read_bytes()
    assert read_manifest(tmp_path / "odd.csv") == manifest
    half = Manifest.of("odd", tmp_path, [Sample("a\ud800.jpg", "1", "train")])
    with pytest.raises(DataError, match=r"odd.csv cannot be written: .* no text file can hold"):
        write_manifest(half, tmp_path / "odd.csv")
    assert read_manifest(tmp_path / "odd.csv") == manifest


def test_a_saved_manifest_is_checked_like_any_table(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    head = "path,identity,camera,view,domain,split"
    for text, words in (
        (f'{head},n\na,1,,,d,train,"x\n', "line 2, column n: .* never closed"),
        (f"{head},n\na,1,,,d,train\n", "line 2: 6 cells, .* column n is missing"),
        (f"{head},camera\n", "line 1: the header names the column 'camera' more than once"),
    ):
        file.write_text(text)
        with pytest.raises(DataError, match=words):
            read_manifest(file)
    file.write_text(f"{head}\na,1,,,d,train\n".replace(",", ";"))
    assert read_manifest(file).paths == ("a",)
