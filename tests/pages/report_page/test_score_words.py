"""Scores and settings in words."""

import pytest

from promptreid.pages.report_page import score_words


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (score_words.score_name("TAR@FAR=1e-05"), "TAR at FAR 0.001 %"),
        (score_words.score_name("mAP_step"), "mAP (step)"),
        (score_words.score_name("rank-1"), "rank-1"),
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


def test_scores_say_what_they_tell():
    for name in ("mAP", "mAP_trapezoid", "mAP (step)", "rank-1", "rank-20", "TAR@FAR=0.01", "EER"):
        assert score_words.meaning(name).endswith(".")
    assert score_words.meaning("rank-1") != score_words.meaning("rank-5")
    assert score_words.meaning("something else") == ""
