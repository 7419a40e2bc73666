"""Any text can be shown, and two texts that differ still differ."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptreid.text.safe import encodable, visible, visible_lines, visible_tree, written_out

ANY = st.text(st.characters(), max_size=40)  # surrogates included


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[31mRED\x1b]0;owned\x07.jpg", r"\u001b[31mRED\u001b]0;owned\u0007.jpg"),
        ("Andr\udce916", r"Andr\udce916"),
        ("two\nlines\r\tand a tab", r"two\u000alines\u000d\u0009and a tab"),
        ("invoice\u202egpj.exe", r"invoice\u202egpj.exe"),
        ("a\u200bb\ufeffc\x85d\x9be\u2028f", r"a\u200bb\ufeffc\u0085d\u009be\u2028f"),
        ("\U000e0041\U0001ffff", r"\udb40\udc41\ud83f\udfff"),
    ],
)
def test_what_cannot_be_seen_is_written_as_json_writes_it(name, shown):
    assert visible(name) == shown
    assert json.loads(f'"{shown}"') == name


@pytest.mark.parametrize(
    "name", ["名前", "übung", "نمی‌دانم", "👩‍🔬", "a b\u00a0c", "$x_1$ <b>", "ñandú", ""]
)
def test_names_in_any_script_stay_as_they_are(name):
    assert visible(name) == visible_lines(name) == encodable(name) == name


@given(ANY)
def test_nothing_that_moves_or_hides_is_left(text):
    shown = visible(text)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in shown)
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f") & set(shown)
    assert visible(shown) == shown
    shown.encode()


@given(ANY)
def test_lines_keep_their_breaks_and_tabs_only(text):
    assert visible_lines(text).count("\n") == text.count("\n")
    assert [visible(line) for line in text.split("\t")] == [
        visible(visible_lines(line)) for line in text.split("\t")
    ]


@given(ANY, ANY)
def test_names_without_the_notation_itself_stay_apart(one, other):
    if one != other and "\\" not in one + other:
        assert visible(one) != visible(other)


@given(ANY)
def test_a_file_takes_any_text_and_loses_only_surrogates(text):
    kept = encodable(text).encode().decode()
    if not any(unicodedata.category(letter) == "Cs" for letter in text):
        assert kept == text


@given(ANY)
def test_json_with_hidden_letters_written_out_means_the_same(text):
    # Two surrogates side by side are one character to JSON.
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert json.loads(visible_lines(json.dumps({"a": whole}, ensure_ascii=False))) == {"a": whole}


def test_trees_are_made_visible_in_keys_and_values():
    tree = {"a\x1b": ["b\udc80", ("c\n", 1, None)], "d": 0.5}
    assert visible_tree(tree) == {r"a\u001b": [r"b\udc80", (r"c\u000a", 1, None)], "d": 0.5}
    assert tree["d"] == 0.5


def test_beyond_the_basic_plane_two_units_are_written():
    assert written_out("\U0001f600a") == r"\ud83d\ude00\u0061"
