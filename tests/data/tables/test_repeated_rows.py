from __future__ import annotations

from pathlib import Path

import pytest
from facts import lacking

from promptreid.data.tables.repeated_rows import find_distinct_rows
from promptreid.data.tables.table_reader import Table
from promptreid.errors import DataError

FILE = Path("/data/t.csv")


def distinct(
    rows: list[tuple[str, str, str]], *, splits: list[str] | None = None
) -> tuple[list[int], tuple[str, ...]]:
    """Look through rows of image, identity and note that begin in lines 2, 3, 4 and so on."""
    return find_distinct_rows(
        Table(FILE, {}, list(range(2, 2 + len(rows)))),
        [row[0] for row in rows],
        names=[row[0] for row in rows],
        labels={"identity": [row[1] for row in rows]},
        others={"note": [row[2] for row in rows]},
        splits=splits,
    )


def test_nothing_is_said_twice() -> None:
    assert distinct([("a", "1", ""), ("b", "1", "")]) == ([0, 1], ())


def test_equal_rows_are_left_out_and_counted() -> None:
    rows = [("a", "1", ""), ("b", "2", ""), ("a", "1", ""), ("b", "2", ""), ("a", "1", "")]
    kept, notes = distinct(rows)
    assert kept == [0, 1]
    (note,) = notes
    pairs = ("line 4 as line 2 (a)", "line 5 as line 3 (b)", "line 6 as line 2 (a)")
    assert not lacking(note, "t.csv", "3 rows", *pairs)
    kept, (note,) = distinct(rows[:3])
    assert not lacking(note, "t.csv", "1 row ", pairs[0])
    assert pairs[1] not in note


def test_attributes_may_differ_and_it_is_said() -> None:
    kept, notes = distinct([("a", "1", "x"), ("a", "1", "y"), ("a", "1", "x")])
    assert kept == [0]
    assert not lacking(notes[1], "t.csv", "note (1)", "first row")


def test_contradictions_are_all_counted_and_named() -> None:
    rows = [(name, "1", "") for name in "abcdef"] + [(name, "2", "") for name in "abcde"]
    rows += [("f", "1", ""), ("a", "", "")]
    with pytest.raises(DataError) as error:
        distinct(rows)
    assert not lacking(
        str(error.value),
        "/data/t.csv: 11 rows",
        "5 images",
        "a in lines 2, 8 and 14 (identity '1' and '2' and unknown)",
        "b in lines 3 and 9 (identity '1' and '2')",
        "c in lines 4 and 10 (identity '1' and '2')",
        "2 more",
    )


@pytest.mark.parametrize("other", ["val", "query", "gallery", "test", "distractor"])
def test_a_training_image_has_no_other_role(other: str) -> None:
    rows = [("a", "1", ""), ("a", "1", "")]
    with pytest.raises(DataError, match=rf"a in lines 2 and 3 \(split train and {other}\)"):
        distinct(rows, splits=["train", other])


def test_a_query_may_be_in_the_gallery() -> None:
    rows = [("a", "1", "")] * 4
    kept, notes = distinct(rows, splits=["query", "gallery", "query", "gallery"])
    assert kept == [0, 1]
    assert len(notes) == 1
    with pytest.raises(DataError, match=r"a in lines 2 and 3 \(identity '1' and '2'\)"):
        distinct([("a", "1", ""), ("a", "2", "")], splits=["query", "gallery"])
