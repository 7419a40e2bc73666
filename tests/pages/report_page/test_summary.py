"""The sentences that come first."""

from dataclasses import replace

import pytest
from facts import lacking
from report_content import HOSTILE

from promptreid.evaluation.uncertainty.intervals import Difference
from promptreid.evaluation.uncertainty.training_gain import GAINED, Gain, Worth
from promptreid.pages.report_page.summary import summarise, usual_far


def plain(sentence):
    return sentence.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_the_best_run_comes_first_with_its_intervals(content):
    (line,) = summarise(content)
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
    known = summarise(content)[0].sentences[1]
    assert f"{100 * pair.differences['mAP'].value:.1f} points above that of zero-shot" in known
    assert "includes zero" not in known
    unsure = replace(
        pair, differences={**pair.differences, "mAP": Difference(0.02, -0.01, 0.05, 0.8)}
    )
    told = summarise(replace(content, tests=(replace(test, pairs=(unsure,)),)))[0].sentences[1]
    assert "it includes zero, so there is no clear difference" in told


def test_the_verdict_is_one_sentence(content):
    (line,) = summarise(content)
    test = content.tests[0]
    first = 100 * test.runs[1].intervals.scores["rank-1"].value
    facts = (HOSTILE, "right identity first", f"{first:.1f} %", "clearly better than zero-shot")
    assert not lacking(plain(line.verdict), *facts)
    unsure = replace(test.pairs[0], differences={"mAP": Difference(0.02, -0.01, 0.05, 0.8)})
    (line,) = summarise(replace(content, tests=(replace(test, pairs=(unsure,)),)))
    assert line.verdict.endswith("there is no clear difference between it and zero-shot.")
    (line,) = summarise(replace(content, tests=(replace(test, runs=test.runs[1:], pairs=()),)))
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
    (line,) = summarise(replace(content, tests=(shown,)))
    sentence = plain(line.sentences[1])
    assert told in sentence
    assert "mAP 30.0 % of tiny untrained became 50.0 %" in sentence


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
    told = plain(summarise(replace(content, tests=(swapped,)))[0].sentences[1])
    assert "its mAP is 50.0 points above that of zero-shot (95 % interval +40.0 to +60.0)" in told


def test_the_stored_threshold_is_tried_on_the_test_pairs(content):
    told = plain(" ".join(summarise(content)[0].sentences))
    assert "from a cosine of 0.71 on, chosen at FAR 1 % on 4 950 pairs" in told
    assert "among 100 validation images of <unseen> identities" in told
    stored = content.tests[0].runs[1].stored
    assert 0.2 < stored.tar < 1
    assert (
        f"it accepts {100 * stored.tar:.1f} % of those of one identity and "
        f"{100 * stored.far:.2f} % of those of different ones." in told
    )
    runs = (content.runs[0], replace(content.runs[1], threshold=None))
    told = " ".join(summarise(replace(content, runs=runs))[0].sentences)
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
