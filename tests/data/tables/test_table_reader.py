from __future__ import annotations

import csv
from pathlib import Path

import pytest

from promptreid.data.tables.table_reader import Table, read_table
from promptreid.errors import DataError

KEYS = ("path", "identity")


def read(root: Path, content: str | bytes, *, keys: tuple[str, ...] = KEYS) -> Table:
    """Write a table and read it."""
    file = root / "t.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(file, keys=keys)


def test_lines_are_those_in_which_rows_begin(tmp_path: Path) -> None:
    table = read(tmp_path, b'\xef\xbb\xbfpath, note \n1,"x\ny"\n\n2,z\n')
    assert table.columns == {"path": ["1", "2"], "note": ["x\ny", "z"]}
    assert table.lines == [2, 5]
    assert table.at(1, "note") == f"{tmp_path}/t.csv, line 5, column note"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_all_systems(tmp_path: Path, end: str) -> None:
    table = read(tmp_path, end.join(["path,note", '1,"a', 'b"', "2,c", ""]))
    assert table.columns == {"path": ["1", "2"], "note": [f"a{end}b", "c"]}
    assert table.lines == [2, 4]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiters_are_recognised(tmp_path: Path, mark: str) -> None:
    text = f'path{mark}identity{mark}note\n"a{mark}b.jpg"{mark}7{mark}x\n'
    assert read(tmp_path, text).columns == {
        "path": [f"a{mark}b.jpg"],
        "identity": ["7"],
        "note": ["x"],
    }


def test_wanted_columns_choose_the_delimiter(tmp_path: Path) -> None:
    table = read(tmp_path, "path;identity;size, weight, age, length\na.jpg;7;1,5\n")
    assert table.columns == {
        "path": ["a.jpg"],
        "identity": ["7"],
        "size, weight, age, length": ["1,5"],
    }


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;", "sep=^"])
def test_excel_says_what_separates(tmp_path: Path, line: str) -> None:
    mark = line.strip('"')[-1]
    table = read(tmp_path, f"{line}\r\npath{mark}identity\r\na,b.jpg{mark}7\r\n")
    assert table.columns == {"path": ["a,b.jpg"], "identity": ["7"]}
    assert table.lines == [3]


def test_space_before_a_quotation_mark(tmp_path: Path) -> None:
    table = read(tmp_path, '"path", "note"\na.jpg, "left, with ""ring"""\n')
    assert table.columns == {"path": ["a.jpg"], "note": ['left, with "ring"']}


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        (
            ",path,identity\n0,a,7\n1,b,8\n2,c,9\n3,d,9\n",
            ["t.csv: column 1 has no name and was left out; it holds '0', '1', '2' and 1 more."],
        ),
        (
            ",,path,identity\n5,0,a,7\n6,1,b,8\n",
            [
                "t.csv: column 1 has no name and was left out; it holds '5', '6'.",
                "t.csv: column 2 has no name and was left out; it holds '0', '1'.",
            ],
        ),
        (
            "path,,identity,\na,x,7,\nb,,8,\n",
            [
                "t.csv: column 2 has no name and was left out; it holds 'x'.",
                "t.csv: column 4 has no name and was left out; it is empty.",
            ],
        ),
        (
            "Unnamed: 0.1;path;identity\n0;a;7\n1;b;8\n",
            [
                "t.csv: column 1 is called 'Unnamed: 0.1', as pandas names an index, and was left "
                "out; it holds '0', '1'."
            ],
        ),
        (
            "path,identity\na,7,\nb,8,,\nc,9\n",
            [
                "t.csv: empty cells behind the last column were left out in 2 of 3 rows, first in "
                "line 2."
            ],
        ),
    ],
)
def test_nameless_columns_are_left_out_with_a_note(
    tmp_path: Path, text: str, notes: list[str]
) -> None:
    table = read(tmp_path, text)
    assert list(table.columns) == ["path", "identity"]
    assert table.columns["path"] == ["a", "b", "c", "d"][: len(table.lines)]
    assert table.columns["identity"] == ["7", "8", "9", "9"][: len(table.lines)]
    assert list(table.notes) == notes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "t.csv is empty; its first line must name the columns"),
        ("\n\n", "t.csv is empty"),
        (",,\n1,2,3\n", "t.csv names no column"),
        ("a,b,,a\n", "t.csv, line 1: the header names the column 'a' .* as columns 1 and 4"),
        ("\nsep=;\na;a\n", "t.csv, line 3: .* as columns 1 and 2"),
        ("a,b\n1,2\n\n3\n", r"t.csv, line 4: 1 cell, but .* 2 columns \(a, b\); column b is miss"),
        ("a,b\n1,2,3\n", r"t.csv, line 2: 3 cells, but .* 2 columns \(a, b\); .* '3'.* a comma"),
        ('a;b\n"1\n1";2;3\n', "t.csv, line 2: 3 cells, .*a semicolon stands between quotation"),
        (",a\n1,2\n3\n", r"t.csv, line 3: 1 cell, .* \(\(no name\), a\); column a is missing"),
    ],
)
def test_mistakes_name_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(tmp_path, text, keys=())


def test_a_very_long_cell_is_shortened_in_messages(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'9{60}'… \(5,000 characters\)") as error:
        read(tmp_path, "path,identity\na,b," + "9" * 5000)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("size", [131_073, 2_000_000])
def test_large_cells(tmp_path: Path, size: int) -> None:
    before = csv.field_size_limit()
    table = read(tmp_path, f'path,identity,segmentation\na,7,"{"[1, 2], " * (size // 8)}"\nb,8,\n')
    assert len(table.columns["segmentation"][0]) == size // 8 * 8
    assert csv.field_size_limit() == before


def test_select_and_stripped(tmp_path: Path) -> None:
    table = read(tmp_path, "path,identity\na , 1\nb,2\nc,3\n")
    assert table.columns["path"] == ["a ", "b", "c"]
    chosen = table.stripped().select([2, 0])
    assert chosen.columns == {"path": ["c", "a"], "identity": ["3", "1"]}
    assert chosen.lines == [4, 2]


@pytest.mark.parametrize("start", [0, 1])
def test_row_numbers_that_the_header_does_not_name(tmp_path: Path, start: int) -> None:
    rows = [f'"{start + n}","{who}.jpg",{n}\n' for n, who in enumerate("abcd")]
    table = read(tmp_path, "path,identity\n" + "".join(rows))
    assert table.columns == {
        "path": ["a.jpg", "b.jpg", "c.jpg", "d.jpg"],
        "identity": ["0", "1", "2", "3"],
    }
    assert table.notes[0].startswith("t.csv: column 1 has no name and was left out; it holds")
    with pytest.raises(DataError, match=rf"line 4: .* '9' stands where {start + 2} was expected"):
        read(tmp_path, "path,identity\n" + "".join([*rows[:2], "9,c.jpg,2\n"]))
    with pytest.raises(DataError, match=r"line 4: 2 cells, but the header names 3 columns \(\(no"):
        read(tmp_path, "path,identity\n" + "".join([*rows[:2], "c.jpg,2\n"]))
