from __future__ import annotations

import pytest
from facts import lacking
from hypothesis import given
from hypothesis import strategies as st

from promptreid.data.manifest.unknown_values import (
    UnknownWords,
    clear_unknown,
    find_known_identities,
    note_unmet_words,
)
from promptreid.errors import DataError

USUAL = [
    "", " ", "nan", "NaN", "NAN", "-nan", "NULL", "null", "None", "NONE", "unknown", "Unknown",
    " UNKNOWN ", "n/a", "N/A", "#N/A", "NA", "n.a.", "<NA>", "NaT", "?", "??", "-", "--", "\u2014",
    "___", "undefined", "\u200b", "nan\ufeff", "\uff2e\uff35\uff2c\uff2c", "un\u00adknown",
    "-1", "-1.0", "-01", "\u22121",
]  # fmt: skip
NAMES = [
    "0", "1", "-2", "-10", "-1a", "1-", "Nan\u00e9", "nana", "Null Island", "unknown2", "nobody",
    "A-1", "gate?", "inf", "none of these", "x_", "\U0001f404",
]  # fmt: skip


@pytest.mark.parametrize("column", ["identity", "camera", "view"])
def test_the_usual_words_are_no_names(column: str) -> None:
    words = UnknownWords()
    assert [word for word in USUAL if not words.means_unknown(word, column)] == []
    assert [name for name in NAMES if words.means_unknown(name, column)] == []


def test_an_attribute_may_have_words_that_are_no_name() -> None:
    words = UnknownWords()
    values = ["none", "unknown", "-", "-1", "na", "?", "0"]
    assert not any(words.means_unknown(value, "accessories") for value in values)
    for value in ["", "nan", "NULL", "<NA>", "n/a"]:
        assert words.means_unknown(value, "accessories")


def test_a_domain_may_be_a_number_but_no_word() -> None:
    words = UnknownWords()
    assert words.means_unknown("unknown", "domain")
    assert not words.means_unknown("-1", "domain")


def test_keep_takes_words_as_names() -> None:
    words = UnknownWords.of("keep")
    assert not any(words.means_unknown(word, "identity") for word in USUAL if word.strip(" \u200b"))
    assert words.means_unknown(" ", "camera")


def test_further_words() -> None:
    words = UnknownWords.of("new_whale, Nobody")
    for word in ["new_whale", "NOBODY", "nan", "?"]:
        assert words.means_unknown(word, "identity")
    assert not words.means_unknown("whale", "identity")
    assert not words.means_unknown("nobody", "hat")
    assert UnknownWords.of(" Keep") == UnknownWords(keep=True)
    assert UnknownWords.of("auto") == UnknownWords.of("") == UnknownWords()


@given(st.text(), st.sampled_from(["identity", "camera", "view", "domain", "hat"]))
def test_letter_case_and_outer_space_do_not_count(value: str, column: str) -> None:
    words = UnknownWords()
    told = words.means_unknown(value, column)
    assert told == words.means_unknown(f"  {value}\t", column)
    assert told == words.means_unknown(value.casefold(), column)


def test_values_and_their_note() -> None:
    values, notes = clear_unknown(["3", "nan", "", "NaN", "nan"], "camera", UnknownWords())
    assert values == ["3", None, None, None, None]
    (note,) = notes
    counted = "'nan' (2), empty (1), 'NaN' (1)"
    assert not lacking(note, "camera", "4 of 5 images", counted, "unknown=keep")


def test_no_note_where_there_is_nothing_to_tell() -> None:
    assert clear_unknown(["", ""], "view", UnknownWords()) == ([None, None], ())
    assert clear_unknown(["a", "b"], "view", UnknownWords()) == (["a", "b"], ())
    assert clear_unknown(["", "b"], "view", UnknownWords()) == ([None, "b"], ())
    _, notes = clear_unknown(["nan", "b"], "hat", UnknownWords())
    assert notes[0].startswith("The attribute hat of 1 of 2 images is not known: 'nan' (1).")


@given(st.lists(st.sampled_from(["a", "b", "?", "NULL", ""]), min_size=1))
def test_every_value_is_kept_or_counted(cells: list[str]) -> None:
    values, notes = clear_unknown(cells, "camera", UnknownWords())
    unknown = [cell for cell, value in zip(cells, values, strict=True) if value is None]
    assert all(value in (None, cell) for cell, value in zip(cells, values, strict=True))
    assert sorted(unknown) == sorted(cell for cell in cells if cell not in "ab" or not cell)
    if any(unknown):
        assert f"{len(unknown):,} of {len(cells):,}" in notes[0]


def test_images_of_unknown_identity_are_left_out_and_counted() -> None:
    identities = ["1", "unknown", "2", "?", "unknown", "-"]
    splits = ["train"] * 5 + ["distractor"]
    kept, notes = find_known_identities(identities, splits, UnknownWords(), source="cows.csv")
    assert kept == [0, 2, 5]
    (note,) = notes
    assert not lacking(note, "3 of 6 images", "identity", "'unknown' (2), '?' (1)", "unknown=keep")


def test_words_that_nothing_is_named_are_said() -> None:
    words = UnknownWords.of("new_whale,nobody")
    assert note_unmet_words(words, ["New_Whale", "a", "NOBODY "]) == ()
    (note,) = note_unmet_words(words, ["new whale", "nobody"])
    assert note.startswith("No identity, camera or view is named 'new_whale', which the option")


def test_no_known_identity_is_an_error() -> None:
    with pytest.raises(DataError, match=r"No image of cows.csv has a known identity: 'nan' \(2\)"):
        find_known_identities(["nan", "nan"], ["test"] * 2, UnknownWords(), source="cows.csv")
