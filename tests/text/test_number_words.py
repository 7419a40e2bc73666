"""Numbers in words."""

import math

import pytest

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
        (words.span(0.1, 0.25), "10.0 to 25.0"),
        (words.span(-0.1, 0.25, signed=True), "−10.0 to +25.0"),
        (words.span(math.nan, 0.2), "–"),
        (words.interval(0.5, 0.4, 0.6), "50.0 % (95 % interval 40.0 to 60.0)"),
        (words.count(1234567), "1 234 567"),
        (words.plural(1, "query", "queries"), "1 query"),
        (words.plural(2, "query", "queries"), "2 queries"),
        (words.size(1_940_000), "1.9 million"),
    ],
)
def test_words(told, expected):
    assert told.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ") == (
        expected
    )


@pytest.mark.parametrize(
    ("cosines", "shown"),
    [
        ([0.81321, 0.612], ["0.8132", "0.6120"]),
        ([0.99996, 0.9998], ["0.999960", "0.999800"]),
        ([1.0, 0.9995], ["1.00000", "0.99950"]),
        ([1.0], ["1.0000"]),
        ([-0.25], ["-0.2500"]),
        ([1 - 2e-6, 0.5], ["0.9999980", "0.5000000"]),
        ([], []),
    ],
)
def test_cosines_that_stand_together_are_told_from_1_and_from_each_other(cosines, shown):
    digits = words.alike_digits(cosines)
    assert [f"{one:.{digits}f}" for one in cosines] == shown


@pytest.mark.parametrize(
    ("digits", "number"),
    [("12", 12), ("007", 7), ("", None), ("-1", None), ("1.0", None), ("9" * 5000, None)],
)
def test_whole_numbers_are_digits_and_no_more_than_a_count_has(digits, number):
    assert words.read_whole(digits) == number
