"""Numbers in words, and the sentences that come first."""

import math
from dataclasses import replace

import pytest
from report_content import HOSTILE

from promptreid.evaluation.uncertainty.intervals import Difference, Interval
from promptreid.evaluation.uncertainty.training_gain import GAINED, Gain, Worth
from promptreid.report.page import score_words
from promptreid.report.page.score_cells import (
    cell,
    change_table,
    identification_table,
    retrieval_table,
    unreliable_rates,
    verification_table,
)
from promptreid.report.page.summary import headlines, usual_far
from promptreid.text import number_words as words


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (words.percent(0.7123), "71.2 %"),
        (words.percent(math.nan), "–"),
        (words.percent(None), "–"),
        (words.points(-0.0521), "−5.2"),
        (words.points(0.0521), "+5.2"),
        (words.points(-0.00001), "0.0"),
        (words.rate(1e-3), "0.1 %"),
        (words.rate(1e-6), "0.0001 %"),
        (score_words.score_name("TAR@FAR=1e-05"), "TAR at FAR 0.001 %"),
        (score_words.score_name("mAP_step"), "mAP (step)"),
        (score_words.score_name("rank-1"), "rank-1"),
        (words.span(0.1, 0.25), "10.0 to 25.0"),
        (words.span(-0.1, 0.25, signed=True), "−10.0 to +25.0"),
        (words.span(math.nan, 0.2), "–"),
        (words.interval(0.5, 0.4, 0.6), "50.0 % (95 % interval 40.0 to 60.0)"),
        (words.count(1234567), "1 234 567"),
        (words.plural(1, "query", "queries"), "1 query"),
        (words.plural(2, "query", "queries"), "2 queries"),
        (words.size(1_940_000), "1.9 million"),
        (score_words.setting([256, 128]), "[256, 128]"),
        (score_words.setting(True), "true"),
        (score_words.setting("é"), "é"),
        (score_words.group_name("3", "camera"), "camera 3"),
        (score_words.group_name("female", "gender"), "female"),
    ],
)
def test_words(told, expected):
    assert told.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ") == (
        expected
    )


def plain(sentence):
    return sentence.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_the_best_run_comes_first_with_its_intervals(content):
    (line,) = headlines(content)
    run = content.tests[0].runs[1]
    assert line.best == run.name == HOSTILE
    found = run.intervals.scores["mAP"]
    assert plain(line.sentences[0]).startswith(
        f"{HOSTILE}, the best of 2 runs, reaches mAP {100 * found.value:.1f} % (95 % interval "
        f"{100 * found.low:.1f} to {100 * found.high:.1f}) and rank-1 "
    )
    assert [number.label.replace("\N{NO-BREAK SPACE}", " ") for number in line.numbers] == [
        "mAP", "rank-1", "TAR at FAR 0.1 %", "equal error rate",
    ]  # fmt: skip


def test_the_summary_says_how_sure_the_difference_is(content):
    test = content.tests[0]
    (pair,) = test.pairs
    known = headlines(content)[0].sentences[1]
    assert f"{100 * pair.differences['mAP'].value:.1f} points above that of zero-shot" in known
    assert "includes zero" not in known
    unsure = replace(
        pair, differences={**pair.differences, "mAP": Difference(0.02, -0.01, 0.05, 0.8)}
    )
    told = headlines(replace(content, tests=(replace(test, pairs=(unsure,)),)))[0].sentences[1]
    assert "it includes zero, so there is no clear difference" in told


def test_the_verdict_is_one_sentence(content):
    (line,) = headlines(content)
    test = content.tests[0]
    first = 100 * test.runs[1].intervals.scores["rank-1"].value
    assert plain(line.verdict) == (
        f"{HOSTILE} puts the right identity first for {first:.1f} % of the queries and is clearly "
        "better than zero-shot."
    )
    unsure = replace(test.pairs[0], differences={"mAP": Difference(0.02, -0.01, 0.05, 0.8)})
    (line,) = headlines(replace(content, tests=(replace(test, pairs=(unsure,)),)))
    assert line.verdict.endswith("there is no clear difference between it and zero-shot.")
    (line,) = headlines(replace(content, tests=(replace(test, runs=test.runs[1:], pairs=()),)))
    assert line.verdict.endswith("% of the queries.")


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(0.1, 0.3, "made it better"), (-0.1, 0.3, "made no clear"), (-0.3, -0.1, "made it worse")],
)
def test_the_summary_says_what_training_gained(content, low, high, told):
    test = content.tests[0]
    gain = Gain(0.3, 0.5, Difference((low + high) / 2, low, high, 0.9))
    worth = Worth("tiny untrained", dict.fromkeys(GAINED, gain), 12)
    shown = replace(test, runs=(test.runs[0], replace(test.runs[1], worth=worth)))
    (line,) = headlines(replace(content, tests=(shown,)))
    sentence = plain(line.sentences[1])
    assert told in sentence
    assert "mAP 30.0 % of tiny untrained became 50.0 %" in sentence


def test_scores_say_what_they_tell():
    for name in ("mAP", "mAP_trapezoid", "mAP (step)", "rank-1", "rank-20", "TAR@FAR=0.01", "EER"):
        assert score_words.meaning(name).endswith(".")
    assert score_words.meaning("rank-1") != score_words.meaning("rank-5")
    assert score_words.meaning("something else") == ""


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


def test_the_first_run_may_be_the_best(content):
    test = content.tests[0]
    (pair,) = test.pairs
    swapped = replace(
        test,
        runs=test.runs[::-1],
        pairs=(
            replace(
                pair,
                name="zero-shot",
                baseline=HOSTILE,
                differences={"mAP": Difference(-0.5, -0.6, -0.4, 0.0)},
            ),
        ),
    )
    told = plain(headlines(replace(content, tests=(swapped,)))[0].sentences[1])
    assert "its mAP is 50.0 points above that of zero-shot (95 % interval +40.0 to +60.0)" in told


def test_the_stored_threshold_is_tried_on_the_test_pairs(content):
    told = plain(" ".join(headlines(content)[0].sentences))
    assert "from a cosine of 0.71 on, chosen at FAR 1 % on 4 950 pairs" in told
    assert "among 100 validation images of <unseen> identities" in told
    stored = content.tests[0].runs[1].stored
    assert 0.2 < stored.tar < 1
    assert (
        f"it accepts {100 * stored.tar:.1f} % of those of one identity and "
        f"{100 * stored.far:.2f} % of those of different ones." in told
    )
    runs = (content.runs[0], replace(content.runs[1], threshold=None))
    told = " ".join(headlines(replace(content, runs=runs))[0].sentences)
    assert "It has no threshold of its own" in told


def test_far_is_the_usual_one_or_the_next_that_can_be_measured(content):
    found = content.tests[0].runs[0].verification
    assert usual_far(found) == 1e-3
    few = replace(
        found,
        per_repeat=tuple(
            replace(
                repeat,
                points=tuple(
                    replace(point, tar=None, threshold=None) if point.far < 0.05 else point
                    for point in repeat.points
                ),
            )
            for repeat in found.per_repeat
        ),
    )
    assert usual_far(few) == 0.1


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
