"""Columns stay in line, whatever stands in them."""

from promptreid.text.tables import count_columns, plain_table


def test_columns_are_aligned_and_lines_have_no_spaces_at_the_end():
    rows = [["run", "mAP"], ["a", "5.00"], ["longer", "15.00"]]
    assert plain_table(rows, right=[False, True]) == [
        "run       mAP",
        "a        5.00",
        "longer  15.00",
    ]
    assert plain_table([["a", "b"], ["cc", ""]], right=[False, False]) == ["a   b", "cc"]


def test_wide_letters_take_two_columns_and_marks_none():
    assert count_columns("名前") == 4
    assert count_columns("e\u0301a") == 2
    assert plain_table([["名", "x"], ["abc", "y"]], right=[False, False]) == ["名   x", "abc  y"]


def test_a_cell_is_one_line():
    lines = plain_table([["a\nb", "\x1b[31m"]], right=[False, False])
    assert lines == [r"a\u000ab  \u001b[31m"]
