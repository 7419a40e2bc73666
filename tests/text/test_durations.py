"""Durations in words."""

from promptreid.text.durations import clock, duration


def test_durations_on_a_clock():
    assert [clock(s) for s in (0, 59.6, 61, 3725)] == ["0:00", "1:00", "1:01", "1:02:05"]


def test_durations_in_a_sentence():
    assert [duration(s) for s in (3.21, 59.4, 133, 7320)] == [
        "3.2 s",
        "59 s",
        "2 min 13 s",
        "2 h 2 min",
    ]
