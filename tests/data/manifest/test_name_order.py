from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from promptreid.data.manifest.name_order import UNKNOWN, number_names, sort_names


@settings(deadline=None)
@given(st.lists(st.integers(-5, 2000).map(str)))
def test_whole_numbers_sort_by_value(names: list[str]) -> None:
    assert sort_names(names) == [str(n) for n in sorted({int(name) for name in names})]


@given(st.lists(st.integers()), st.lists(st.text("abc.")))
def test_numbers_of_any_length_come_before_words(numbers: list[int], words: list[str]) -> None:
    expected = [*map(str, sorted(set(numbers))), *sorted(set(words))]
    assert sort_names([*words, *map(str, numbers)]) == expected


def test_other_names_sort_as_text() -> None:
    assert sort_names(["b", "10", "9", "b"]) == ["9", "10", "b"]
    assert sort_names(["02", "2", "1", "-0", "0"]) == ["-0", "0", "1", "02", "2"]
    assert sort_names(["gate10", "Gate9", "1.5"]) == ["1.5", "Gate9", "gate10"]


def test_a_number_of_five_thousand_digits_is_a_name() -> None:
    long = "9" * 5000
    assert sort_names([long, "10", f"-{long}"]) == [f"-{long}", "10", long]


def test_names_are_numbered_by_their_place() -> None:
    values = ["1700000000", None, "gate6", "202601011234567890123450", "1700000000"]
    assert number_names(values).tolist() == [0, UNKNOWN, 2, 1, 0]
    assert number_names(["b", "c", None], ["b", "a"]).tolist() == [0, UNKNOWN, UNKNOWN]
    assert number_names([]).dtype == np.int64


@given(st.lists(st.none() | st.text(max_size=3)))
def test_equal_names_have_equal_numbers_and_none_is_too_large(values: list[str | None]) -> None:
    numbers = number_names(values).tolist()
    names = set(values) - {None}
    assert sorted(set(numbers) - {UNKNOWN}) == list(range(len(names)))
    for value, number in zip(values, numbers, strict=True):
        assert number == (UNKNOWN if value is None else sort_names(names).index(value))
