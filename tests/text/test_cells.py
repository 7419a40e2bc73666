"""Names in spreadsheets are no formulas, and in Markdown no markup."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptreid.text.cells import csv_cell, markdown_cell


@pytest.mark.parametrize(
    "name",
    [
        "=HYPERLINK(1)",
        "=cmd|'calc'!A0",
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\n=1",
        "-",
        "-inf()",
    ],
)
def test_what_a_spreadsheet_would_compute_is_marked_as_text(name):
    assert csv_cell(name).startswith("'")


@pytest.mark.parametrize(
    "value", [-0.5, 3, None, True, "-0.5", "+1e-4", "-.5", "1.", "a=b", "", "x-1"]
)
def test_numbers_and_other_texts_stay(value):
    assert csv_cell(value) == value


@given(st.text(st.characters(), max_size=20))
def test_every_text_is_one_cell_that_begins_harmlessly(text):
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(["x", csv_cell(text)])
    stream.getvalue().encode()
    ((_, read),) = csv.reader(io.StringIO(stream.getvalue()))
    if not re.fullmatch(r"[+-]?[\d.]+([eE][+-]?\d+)?", read):
        assert not read.lstrip().startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("a|b", r"a\|b"),
        ("<img src=x>", r"\<img src=x>"),
        ("[x](http://y)", r"[x]\(http://y)"),
        ("**bold**", r"\*\*bold\*\*"),
        ("_it_", r"\_it\_"),
        ("run_seed0", "run_seed0"),
        ("a`b`", r"a\`b\`"),
        ("&lt;", r"\&lt;"),
        ("R&D", "R&D"),
        ("[128, 64]", "[128, 64]"),
        ("two\nlines", r"two\u000alines"),
        ("back\\", r"back\\"),
    ],
)
def test_markup_in_names_is_read_as_it_is(name, cell):
    # The notation of what cannot be seen is ours, and its backslash needs none before it.
    assert markdown_cell(name).replace("\\\\u", "\\u") == cell


@given(st.text(st.characters(), max_size=30))
def test_a_cell_never_opens_another_one(text):
    cell = markdown_cell(text)
    assert "\n" not in cell
    assert not re.search(r"(?<!\\)(\\\\)*\|", cell)
