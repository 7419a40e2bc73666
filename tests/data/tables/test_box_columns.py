from __future__ import annotations

from pathlib import Path

import pytest

from promptreid.data.images.boxes import Box
from promptreid.data.load_data import load_data
from promptreid.data.tables.box_columns import find_box_columns
from promptreid.errors import DataError

BOX = Box(4, 8, 16, 32)
EDGES = ("4", "8", "20", "40")
SIZE = ("4", "8", "16", "32")


def table(root: Path, names: tuple[str, ...], cells: tuple[str, ...], *, last: str = "") -> str:
    """Write four images of two identities, all with one box; `last` is one more row."""
    rows = [";".join(("path", "identity", *names))]
    for number in range(4):
        (root / f"{number}.jpg").touch()
        rows.append(";".join((f"{number}.jpg", "ab"[number % 2], *cells)))
    file = root / "t.csv"
    file.write_text("\n".join([*rows, last]) + "\n")
    return f"csv:{file}"


@pytest.mark.parametrize(
    ("names", "cells"),
    [
        (("x_1", "x_2", "y_1", "y_2"), ("4", "20", "8", "40")),
        (("x1", "y1", "x2", "y2"), EDGES),
        (("xmin", "ymin", "xmax", "ymax"), EDGES),
        (("X_Min", "Y_Min", "X_Max", "Y_Max"), EDGES),
        (("left", "top", "right", "bottom"), EDGES),
        (("x0", "y0", "x1", "y1"), EDGES),
        (("xtl", "ytl", "xbr", "ybr"), EDGES),
        (("Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2"), EDGES),
        (("left", "top", "width", "height"), SIZE),
        (("bb_left", "bb_top", "bb_width", "bb_height"), SIZE),
        (("bbox_x", "bbox_y", "bbox_w", "bbox_h"), SIZE),
        (("bbox.x", "bbox.y", "bbox.width", "bbox.height"), SIZE),
        (("box left", "box top", "box right", "box bottom"), EDGES),
        (("bbox",), ("[4, 8, 16, 32]",)),
        (("bbox",), ("(4.0, 8.2, 15.9, 31.8)",)),
        (("BBox",), ("4 8 16 32",)),
        (("bounding_box",), ("4,8,16,32",)),
        (("bbox",), ("[ 4  8 16 32]",)),
        (("bbox_xyxy",), ("[4, 8, 20, 40]",)),
        (("box_xywh",), ("[4, 8, 16, 32]",)),
        (("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "width", "height"), (*EDGES, "640", "480")),
    ],
)
def test_boxes_are_cut_by_default_and_it_is_said(
    tmp_path: Path, names: tuple[str, ...], cells: tuple[str, ...]
) -> None:
    spec = table(tmp_path, names, cells)
    data = load_data(spec)
    assert data.manifest.boxes == (BOX,) * 4
    assert set(data.manifest.attributes) == set(names) & {"width", "height"} - {
        name for name in names if "left" in names
    }
    assert data.notes[0].startswith("t.csv: 4 of 4 images are cut out of their pictures by column")
    assert names[0] in data.notes[0]
    assert "boxes=ignore" in data.notes[0]
    whole = load_data(f"{spec}?boxes=ignore")
    assert whole.manifest.boxes == (None,) * 4
    assert set(whole.manifest.attributes) == set(names) - {"box_xywh"}
    assert not any("box" in note for note in whole.notes)
    assert whole.manifest.fingerprint() != data.manifest.fingerprint()


@pytest.mark.parametrize("names", [("x", "y", "w", "h"), ("x", "y", "width", "height")])
def test_columns_that_may_mean_something_else_are_named(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    spec = table(tmp_path, names, SIZE)
    data = load_data(spec)
    assert data.manifest.boxes == (None,) * 4
    assert set(data.manifest.attributes) == set(names)
    assert f"columns {', '.join(names)} (left, upper edge, width, height" in data.notes[0]
    assert "may hold boxes, which are not cut out; boxes=cut reads them" in data.notes[0]
    assert load_data(f"{spec}?boxes=cut").manifest.boxes == (BOX,) * 4
    spec = table(tmp_path, names, SIZE, last="0.jpg;b;30;8;16;32")
    with pytest.raises(DataError, match=r"0.jpg in lines 2 and 6 \(identity 'a' and 'b'\).*boxes="):
        load_data(spec)
    assert len(load_data(f"{spec}?boxes=cut").manifest) == 5


def test_several_boxes_of_one_picture_are_several_images(tmp_path: Path) -> None:
    spec = table(tmp_path, ("bbox",), ("[4, 8, 16, 32]",), last="0.jpg;b;[20, 8, 12, 32]")
    manifest = load_data(spec).manifest
    assert len(manifest) == 5
    assert manifest.paths.count("0.jpg") == 2
    with pytest.raises(DataError, match=r"0.jpg in lines 2 and 6 \(identity 'a' and 'b'\)"):
        load_data(f"{spec}?boxes=ignore")
    spec = table(tmp_path, ("bbox",), ("[4, 8, 16, 32]",), last="0.jpg;a;[4, 8, 16, 32.2]")
    assert any("line 6 as line 2 (0.jpg, box [4, 8, 16, 32])" in n for n in load_data(spec).notes)
    spec = table(tmp_path, ("bbox",), ("[4, 8, 16, 32]",), last="0.jpg;b;[4, 8, 16, 32]")
    with pytest.raises(DataError, match=r"0.jpg, box \[4, 8, 16, 32\] in lines 2 and 6"):
        load_data(spec)


def test_rows_without_a_box_are_whole_pictures(tmp_path: Path) -> None:
    spec = table(tmp_path, ("x1", "y1", "x2", "y2"), EDGES, last="0.jpg;b;;nan;;")
    data = load_data(spec)
    assert data.manifest.boxes == (*(BOX,) * 4, None)
    assert any("4 of 5 images are cut out" in note for note in data.notes)


@pytest.mark.parametrize(
    ("names", "cells", "last", "words"),
    [
        (("bbox",), ("[4, 8, 16, 32]",), "[4, 8, 16]", "line 6, column bbox: .* is not four numb"),
        (("bbox",), ("[4, 8, 16, 32]",), "left", "line 6, column bbox: 'left' is not four numbers"),
        (
            ("bbox",),
            ("[4, 8, 16, 32]",),
            "[4, 8, 0, 3]",
            "line 6, column bbox: .* is empty: its",
        ),
        (("bbox",), ("[4, 8, 16, 32]",), "[-9, 8, 9, 3]", "line 6, .* lies outside of its picture"),
        (("bbox",), ("[4, 8, 16, 32]",), f"[4, 8, {'9' * 5000}, 3]", "line 6, .*edge that is not"),
        (("x1", "y1", "x2", "y2"), EDGES, "4;8;;40", "line 6, column x2: '' is not a number"),
        (("x1", "y1", "x2", "y2"), EDGES, "4;8;a;40", "line 6, column x2: 'a' is not a number"),
        (
            ("x1", "y1", "x2", "y2"),
            EDGES,
            "20;8;4;40",
            "line 6, column x1, y1, x2, y2: .*empty",
        ),
    ],
)
def test_what_is_no_box_is_named(
    tmp_path: Path, names: tuple[str, ...], cells: tuple[str, ...], last: str, words: str
) -> None:
    with pytest.raises(DataError, match=words) as error:
        load_data(table(tmp_path, names, cells, last=f"0.jpg;b;{last}"))
    assert "t.csv" in str(error.value)
    assert "boxes=ignore" in str(error.value)


def test_fractions_of_a_picture_are_not_pixels(tmp_path: Path) -> None:
    spec = table(tmp_path, ("bbox",), ("[0.1, 0.2, 0.5, 0.5]",))
    with pytest.raises(DataError, match=r"line 2, column bbox: the boxes look like fractions"):
        load_data(spec)
    assert load_data(f"{spec}?boxes=ignore").manifest.boxes == (None,) * 4


def test_words_in_such_a_column_are_an_attribute(tmp_path: Path) -> None:
    spec = table(tmp_path, ("box", "left", "top", "right", "bottom"), ("crate", *"abcd"))
    data = load_data(spec)
    assert data.manifest.boxes == (None,) * 4
    assert data.manifest.attributes["box"] == ("crate",) * 4
    assert not any("boxes" in note for note in data.notes)


def test_two_kinds_of_boxes_are_not_chosen_between(tmp_path: Path) -> None:
    spec = table(tmp_path, ("bbox", "x1", "y1", "x2", "y2"), ("[4, 8, 16, 32]", *EDGES))
    data = load_data(spec)
    assert data.manifest.boxes == (None,) * 4
    assert "column bbox (" in data.notes[0]
    assert "or columns x1, y1, x2, y2 (" in data.notes[0]
    assert "take out all but one" in data.notes[0]
    with pytest.raises(DataError, match=r"boxes=cut was asked for, but several columns hold boxes"):
        load_data(f"{spec}?boxes=cut")


def test_boxes_that_are_not_there(tmp_path: Path) -> None:
    spec = table(tmp_path, ("x_1", "x_2", "y_1"), ("4", "20", "8"))
    assert load_data(spec).manifest.boxes == (None,) * 4
    with pytest.raises(DataError, match=r"no columns hold boxes.*The columns are path, ident"):
        load_data(f"{spec}?boxes=cut")


def test_names_are_read_without_case_and_separators() -> None:
    assert find_box_columns(["path", "identity", "age"]) == []
    (found,) = find_box_columns(["Bounding Box X", "bounding-box-y", "bounding_box_w", "BB.h"])
    assert found.sure
    assert not found.edges
    assert found.names == ("Bounding Box X", "bounding-box-y", "bounding_box_w", "BB.h")
