"""Tables of scores, cell by cell."""

import math
from dataclasses import replace

import pytest

from promptreid.evaluation.uncertainty.intervals import Difference, Interval
from promptreid.pages.report_page.score_cells import (
    cell,
    change_table,
    identification_table,
    retrieval_table,
    unreliable_rates,
    verification_table,
)
from promptreid.text import number_words as words


def plain(sentence):
    return sentence.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_rates_of_few_pairs_are_marked(content):
    test = content.tests[0]
    run = test.runs[0]
    few = replace(
        run.verification,
        per_repeat=tuple(
            replace(part, points=tuple(replace(point, false_accepts=29) for point in part.points))
            for part in run.verification.per_repeat
        ),
    )
    shown = replace(test, runs=(replace(run, verification=few),))
    told = unreliable_rates(shown)
    assert len(told) == sum(few.tar(far) is not None for far in few.fars)
    cells = verification_table(shown).rows[run.name]
    assert all("fewer than 30 pairs" in cell.note for cell in cells[2:] if cell.raw is not None)
    assert all(few.tar(far) is None or not few.reliable(far) for far in few.fars)


def test_open_set_identification_stands_in_a_table(content):
    test = content.tests[0]
    table = identification_table(test)
    assert [plain(name) for name in table.columns] == [
        "TPIR at FPIR 10 %", "TPIR at FPIR 1 %", "TPIR at FPIR 0.1 %",
    ]  # fmt: skip
    for run in test.runs:
        (once,) = run.identification
        for found, point in zip(table.rows[run.name], once.points, strict=True):
            if point.tpir is None:
                assert (found.raw, found.note) == (None, "too few searches")
            else:
                assert found.raw == pytest.approx(100 * point.tpir)
                assert found.note.startswith("threshold ")


def test_tables_hold_percentages_and_what_cannot_be_measured(content):
    test = content.tests[0]
    table = retrieval_table(test)
    assert table.columns[:2] == ("mAP", "rank-1")
    assert table.columns[-1] == "mAP (trapezoid)"
    run = test.runs[0]
    first = table.rows[run.name][0]
    assert first.raw == pytest.approx(100 * run.scores.mAP)
    assert first.low <= first.raw <= first.high
    checked = verification_table(test)
    assert len(checked.columns) == len(checked.rows[run.name])
    assert "TAR at FAR 0.01" not in " ".join(checked.columns)  # too few pairs for 1e-4
    mixed = replace(test, runs=(replace(run, verification=None), test.runs[1]))
    assert {one.value for one in verification_table(mixed).rows[run.name]} == {"–"}
    nothing = replace(test, runs=(replace(run, verification=None),))
    assert verification_table(nothing) is None


def test_a_cell_without_an_interval_has_no_bar():
    assert cell(None).raw is None
    told = cell(Interval(0.5, math.nan, math.nan))
    assert (told.value, told.low, told.span) == ("50.0", None, "")


def test_small_rates_keep_their_digits():
    told = cell(Interval(0.0012, 0.0004, 0.0021), digits=2)
    assert (told.value, told.span) == ("0.12", "0.04 to 0.21")
    assert words.span(-0.0004, 0.0, signed=True, digits=2) == "−0.04 to 0.00"


def test_of_error_rates_the_smaller_is_better(content):
    (pair,) = content.tests[0].pairs
    changes = {
        "mAP": Difference(0.1, 0.05, 0.2, 1.0),
        "mAP_step": Difference(0.1, 0.05, 0.2, 1.0),
        "rank-1": Difference(-0.1, -0.2, -0.05, 0.0),
        "mINP": Difference(0.0, -0.1, 0.1, 0.5),
        "EER": Difference(-0.1, -0.2, -0.05, 0.0),
    }
    table = change_table(replace(pair, differences=changes), "step")
    assert [(row.score, row.verdict) for row in table.rows] == [
        ("mAP", "better"), ("rank-1", "worse"), ("mINP", "no clear difference"), ("EER", "better"),
    ]  # fmt: skip
    assert [row.better for row in table.rows] == ["100", "0", "50", "100"]
    assert table.reach == pytest.approx(20)
