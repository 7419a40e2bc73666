from __future__ import annotations

import itertools

import pytest

from promptreid.data.same_data import DataSource
from promptreid.errors import EvaluationError
from promptreid.evaluation.tables.train_test_matrix import MatrixRow, ScoreMatrix, render_matrix

MARKET, MSMT = DataSource("market1501", "/data/market"), DataSource("msmt17", "/data/msmt")


def result(number: float) -> dict:
    return {"mAP": number / 100, "cmc": {"1": number / 50}}


def matrix(rows: dict, *columns: DataSource) -> ScoreMatrix:
    """Score 1, 2, 3, ... in reading order."""
    numbers = itertools.count(1)
    results = tuple(tuple(result(next(numbers)) for _ in columns) for _ in rows)
    return ScoreMatrix(tuple(MatrixRow(*row) for row in rows.items()), columns, results)


def test_every_score_stands_in_its_place() -> None:
    table = matrix({"runs/a": (MARKET,), "runs/b": (MARKET, MSMT)}, MARKET, MSMT)
    lines = render_matrix(table).splitlines()
    assert lines[0] == "mAP / Rank-1, percent:"
    assert lines[1].split() == ["model", "trained", "on", "market1501", "msmt17"]
    assert lines[2].split(maxsplit=2)[:2] == ["a", "market1501"]
    assert "[1.0 / 2.0]" in lines[2]
    assert "2.0 / 4.0" in lines[2]
    assert "[2.0" not in lines[2]
    assert "market1501 + msmt17" in lines[3]
    assert lines[3].index("[3.0 / 6.0]") < lines[3].index("[4.0 / 8.0]")
    assert "In brackets" in lines[4]
    assert len(lines) == 5


def test_numbers_for_machines() -> None:
    table = matrix({"runs/a": (MARKET,), "x.pth": None, "runs/z": ()}, MARKET, MSMT)
    found = table.to_dict()
    assert found["models"] == ["runs/a", "x.pth", "runs/z"]
    assert found["trained_on"] == [["market1501"], None, []]
    assert found["data"] == ["market1501", "msmt17"]
    assert found["seen"] == [[True, False], [None, None], [False, False]]
    assert found["mAP"] == [[0.01, 0.02], [0.03, 0.04], [0.05, 0.06]]
    assert found["rank1"] == [[0.02, 0.04], [0.06, 0.08], [0.1, 0.12]]


def test_what_is_not_known_and_what_is_nothing() -> None:
    lines = render_matrix(matrix({"x.pth": None, "runs/z": ()}, MARKET)).splitlines()
    assert lines[2].split()[:2] == ["x.pth", "?"]
    assert lines[3].split()[:2] == ["z", "nothing"]
    assert lines[4] == "?: the file does not say what it was trained on."
    assert len(lines) == 5


def test_all_images_are_marked() -> None:
    everything = DataSource("market1501", "/data/market", "use=all", all_images=True)
    text = render_matrix(matrix({"runs/a": (everything, MSMT)}, MARKET))
    assert "market1501* + msmt17" in text
    assert "*: trained on all its images" in text
    assert "[1.0 / 2.0]" in text


def test_data_sets_of_one_name_are_told_apart_by_folder() -> None:
    here, there = DataSource("market1501", "/d/x/here"), DataSource("market1501", "/d/x/there")
    table = matrix({"runs/a": (here,)}, here, there, MSMT)
    assert table.to_dict()["data"] == ["market1501:here", "market1501:there", "msmt17"]
    assert table.to_dict()["trained_on"] == [["market1501:here"]]
    assert table.to_dict()["seen"] == [[True, False, False]]
    deep = matrix({"runs/a": ()}, DataSource("set", "/a/x/set"), DataSource("set", "/b/x/set"))
    assert deep.to_dict()["data"] == ["set:a/x/set", "set:b/x/set"]


def test_readings_of_one_data_set_are_told_apart_by_options() -> None:
    hands = [DataSource("hands", "/h", "gallery=same"), DataSource("hands", "/h", "gallery=all")]
    table = matrix({"runs/a": (DataSource("hands", "/h"),)}, *hands)
    assert table.to_dict()["data"] == ["hands?gallery=same", "hands?gallery=all"]
    assert table.to_dict()["trained_on"] == [["hands"]]
    assert table.to_dict()["seen"] == [[True, True]]
    assert matrix({"runs/a": ()}, hands[0]).to_dict()["data"] == ["hands"]


def test_models_of_one_name_keep_their_folders() -> None:
    text = render_matrix(matrix({"x/seed0": (), "y/seed0": (), "y/seed1": ()}, MARKET))
    assert [line.split()[0] for line in text.splitlines()[2:]] == ["x/seed0", "y/seed0", "seed1"]


@pytest.mark.parametrize(
    ("rows", "columns", "results"),
    [
        ((), (MARKET,), ()),
        ((MatrixRow("a", None),), (), ((),)),
        ((MatrixRow("a", None),), (MARKET,), ((result(1), result(2)),)),
        ((MatrixRow("a", None),), (MARKET,), ()),
    ],
)
def test_results_must_fill_the_matrix(rows, columns, results) -> None:
    with pytest.raises(EvaluationError, match="one result for each pair"):
        ScoreMatrix(rows, columns, results)
