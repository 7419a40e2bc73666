"""Quotation marks that are not closed, or closed where they should not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptreid.data.tables.table_reader import read_table
from promptreid.errors import DataError

MARKS = [",", ";", "\t"]


def table(root: Path, cells: dict[int, str], *, mark: str = ",", rows: int = 24) -> Path:
    """Write rows of path, identity and note; some notes are as given, by line."""
    lines = [mark.join(["path", "identity", "note"])]
    for row in range(rows):
        note = cells.get(row + 2, "ok")
        lines.append(mark.join([f"im/{row}.jpg", str(row // 4), note]))
    file = root / "t.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def refused(file: Path, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_table(file, keys=("path", "identity"))


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("line", [2, 11, 25])
def test_never_closed(tmp_path: Path, mark: str, line: int) -> None:
    file = table(tmp_path, {line: '"left hand'}, mark=mark)
    refused(file, f"t.csv, line {line}, column note: .* opens here and is never closed")


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("last", [12, 13, 24])
def test_closed_lines_later_by_chance(tmp_path: Path, mark: str, last: int) -> None:
    file = table(tmp_path, {11: '"left hand', last: 'right hand"'}, mark=mark)
    refused(
        file,
        f"line 11, column note: .*closes in line {last}, but line 12 between them looks like a row",
    )


@pytest.mark.parametrize("other", ['"right"', '"right, hand"', '""'])
def test_the_next_mark_is_that_of_another_cell(tmp_path: Path, other: str) -> None:
    file = table(tmp_path, {11: '"left hand', 20: other})
    refused(file, "line 11, column note: a quotation mark opens here")


def test_all_cells_quoted_but_one_mark_missing(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    rows = [f'"im/{row}.jpg","{row}","ok"' for row in range(9)]
    rows[3] = rows[3][:-1]
    file.write_text('"path","identity","note"\n' + "\n".join(rows) + "\n")
    refused(file, "line 5, column note: .* the next one, in line 6, does not end its cell")


def test_a_mark_closes_before_its_cell_ends(tmp_path: Path) -> None:
    file = table(tmp_path, {7: '"left" hand'})
    refused(file, "line 7, column note: .* the next one, in the same line, does not end")


@pytest.mark.parametrize(("cell", "column"), [('"a\nb.jpg",1', "path"), ('a.jpg,"1\n2"', "identi")])
def test_file_names_and_identities_hold_no_line_break(
    tmp_path: Path, cell: str, column: str
) -> None:
    file = tmp_path / "t.csv"
    file.write_text(f'path,identity,note\nx.jpg,0,"two\nlines"\n{cell},ok\n')
    refused(file, f"line 4, column {column}.* closes in line 5; this cell cannot hold")


def test_the_header_holds_no_line_break(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text('path,identity,"note\na.jpg,1,x\nb.jpg,2,y"\nc.jpg,3,z\n')
    refused(file, "line 1, column 3: .*closes in line 3; this cell cannot hold a line break")


def test_a_note_may_hold_lines(tmp_path: Path) -> None:
    notes = {3: '"two\nlines, with ""marks"", and a.jpg"', 9: '"\n\n"', 10: '5" wide'}
    read = read_table(table(tmp_path, notes), keys=("path", "identity"))
    assert len(read.lines) == 24
    assert read.columns["note"][1] == 'two\nlines, with "marks", and a.jpg'
    assert read.columns["note"][8] == '5" wide'
    assert read.lines[:3] == [2, 3, 5]
    assert read.lines[8] == 13


def test_a_large_table_with_an_open_quote_is_refused_quickly(tmp_path: Path) -> None:
    file = table(tmp_path, {2: '"left'}, rows=200_000)
    refused(file, "line 2, column note: .* never closed")
