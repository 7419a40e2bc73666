from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptreid.data.data_set_names import name_data_sets
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.side_information import (
    SideTables,
    named_rows,
    table_rows,
    table_values,
)
from promptreid.errors import DataError


def images(name: str, root: str, *cameras: str | None, views: tuple[str, ...] = ()) -> Manifest:
    views = views or ("front",) * len(cameras)
    samples = [
        Sample(f"{row}.jpg", "1", "test", camera, view, attributes={"side": view})
        for row, (camera, view) in enumerate(zip(cameras, views, strict=True))
    ]
    return Manifest.of(name, Path(root), samples)


def test_rows_are_in_the_order_of_names() -> None:
    assert table_values(["10", None, "9", "gate6", "10"]) == ("9", "10", "gate6")
    assert table_values(["b", "", "a"]) == ("a", "b")
    assert table_rows(["9", "gate6", None, "7"], ("9", "gate6")).tolist() == [0, 1, -1, -1]
    assert table_rows(["a", "", "c", "b"], ["a", "b"]).tolist() == [0, -1, -1, 1]


def test_sites_come_one_after_the_other() -> None:
    values = [("b", "1"), None, ("b", "0"), ("a", "0"), ("b", "10")]
    assert table_values(values) == (("b", "0"), ("b", "1"), ("b", "10"), ("a", "0"))


@given(st.lists(st.none() | st.text(max_size=3) | st.tuples(st.sampled_from("ab"), st.text())))
def test_a_row_stands_for_each_name(values: list) -> None:
    table = table_values(values)
    rows = table_rows(values, table).tolist()
    for value, row in zip(values, rows, strict=True):
        name = value[1] if isinstance(value, tuple) else value
        assert row == -1 if not name else table[row] == value


def test_cameras_of_one_data_set_are_found_by_name() -> None:
    manifest = images("any", "/data", "gate6", None, "yard")
    tables = SideTables(cameras=("gate6", "yard 2"))
    assert tables.camera_rows(manifest).tolist() == [0, -1, -1]
    assert SideTables().camera_rows(manifest).tolist() == [-1, -1, -1]


def test_cameras_of_several_data_sets_are_found_again() -> None:
    tables = SideTables(cameras=(("a", "0"), ("a", "100000"), ("b", "0")))
    assert tables.camera_rows(images("a", "/x", "0", "100000")).tolist() == [0, 1]
    assert tables.camera_rows(images("b", "/y", "0", "100000")).tolist() == [2, -1]
    assert tables.camera_rows(images("c", "/z", "0", None)).tolist() == [-1, -1]


def test_data_sets_of_one_name_are_found_by_their_folders() -> None:
    places = [("crops", "/data/north"), ("crops", "/data/south")]
    labels = name_data_sets(places)
    tables = SideTables(cameras=tuple((labels[place], "0") for place in places))
    for row, (name, root) in enumerate(places):
        assert tables.camera_rows(images(name, root, "0")).tolist() == [row]
    assert tables.camera_rows(images("crops", "/data/west", "0")).tolist() == [-1]


def test_views_and_attributes() -> None:
    manifest = images("a", "/x", "0", "0", views=("front", "back"))
    assert SideTables(views=("back", "front")).view_rows(manifest).tolist() == [1, 0]
    tables = SideTables(views=("front",), attribute="side")
    assert tables.view_rows(manifest).tolist() == [0, -1]
    assert tables.view_rows(manifest, attributes=False).tolist() == [-1, -1]
    assert SideTables(views=("front",), attribute="hat").view_rows(manifest).tolist() == [-1, -1]


def test_rows_of_what_a_user_names() -> None:
    table = (("a", "1"), ("a", "2"), ("b", "1"))
    values = [("b", 1), 2, "2", None, float("nan"), 7, ["a", "1"]]
    assert named_rows(values, table, "camera").tolist() == [2, 1, 1, -1, -1, -1, 0]
    with pytest.raises(
        DataError, match=r"camera '1' is of several .*\('a', '1'\) and \('b', '1'\)"
    ):
        named_rows([1], table, "camera")
    with pytest.raises(DataError, match="True is no camera"):
        named_rows([True], table, "camera")
