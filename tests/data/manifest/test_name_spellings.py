from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from facts import lacking
from hypothesis import given, settings
from hypothesis import strategies as st

from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.manifest.name_spellings import note_one_spelling, note_spellings, simplify_name

ONE_NAME = {
    "'.0' behind numbers": [("1", "1.0"), ("17", "17.000"), ("-3", "-3.")],
    "zeros before numbers": [("1", "001"), ("0", "000"), ("cow_7", "cow_07"), ("A10", "A010")],
    "letter case": [("Cow1", "cow1"), ("STRASSE", "Stra\u00dfe")],
    "spaces": [("A 1", "A  1"), ("A1", "A 1"), ("Anna B", "Anna\u00a0B"), ("1 2", "1  2")],
    "Unicode forms": [("Zo\u00e9", "Zoe\u0301"), ("1", "\uff11"), ("\ufb01n", "fin")],
    "invisible characters": [("ab", "a\u200bb"), ("x", "x\ufeff"), ("x", "\u2060x\u00ad")],
}
TWO_NAMES = [
    ("1", "10"), ("1.05", "1.5"), ("11", "1 1"), ("a", "b"), ("A-1", "A_1"), ("1.0.0", "1"),
    ("10", "100"), ("0.1", "0.10"), ("-1", "1"), ("v1", "v1.1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "pair"), [(kind, pair) for kind, pairs in ONE_NAME.items() for pair in pairs]
)
def test_one_name_in_two_spellings(kind: str, pair: tuple[str, str]) -> None:
    note = note_one_spelling([("", name) for name in pair], "identities")
    assert note is not None
    assert note.startswith("2 identities become 1 when one ignores ")
    assert kind in note


@pytest.mark.parametrize("pair", TWO_NAMES)
def test_two_names(pair: tuple[str, str]) -> None:
    assert note_one_spelling([("", name) for name in pair], "identities") is None


def test_all_names_are_counted_and_one_is_shown() -> None:
    names = [("", form) for n in range(1, 7) for form in (f"{n}", f"{n}.0")] + [("", "x")]
    note = note_one_spelling(names, "identities")
    assert note is not None
    assert not lacking(note, "12 identities become 6", "'.0' behind numbers", "'1' and '1.0'")
    assert "'2'" not in note


def test_what_cannot_be_seen_is_written_out() -> None:
    note = note_one_spelling([("", "Zo\u00e9"), ("", "Zoe\u0301")], "cameras")
    assert note is not None
    assert r"'Zoe\u0301' and 'Zo\xe9'" in note


def test_domains_keep_names_apart() -> None:
    assert note_one_spelling([("a", "1"), ("b", "01")], "identities") is None
    assert note_one_spelling([("a", "1"), ("a", "01")], "identities") is not None


# The iota below a letter folds to a letter of its own, whose accents then stand elsewhere.
NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\u0345"), max_size=8)


@settings(deadline=None)
@given(st.text())
def test_a_plain_name_is_plain(name: str) -> None:
    plain = simplify_name(name)
    assert simplify_name(plain) == plain


@given(NAMES, st.integers(0, 4))
def test_every_spelling_of_a_name_has_its_plain_name(name: str, where: int) -> None:
    plain = simplify_name(name)
    assert simplify_name(name[:where] + "\u200b" + name[where:]) == plain
    assert simplify_name(unicodedata.normalize("NFD", name)) == plain
    assert simplify_name(unicodedata.normalize("NFC", name)) == plain
    assert simplify_name(name.casefold()) == plain
    assert simplify_name(f"  {name}\t") == plain


@given(st.integers(), st.integers(0, 9))
def test_every_spelling_of_a_number_has_its_plain_name(number: int, zeros: int) -> None:
    plain = simplify_name(str(number))
    digits, sign = str(abs(number)), "-" if number < 0 else ""
    assert simplify_name(f"{sign}{'0' * zeros}{digits}") == plain
    assert simplify_name(f"{number}.{'0' * zeros}") == plain


@given(st.sets(st.integers(0).map(str)))
def test_plain_numbers_have_no_note(names: set[str]) -> None:
    assert note_one_spelling([("", name) for name in names], "identities") is None


def test_cameras_and_views_of_a_data_set(tmp_path: Path) -> None:
    rows = [("a", "gate6", "front"), ("b", "Gate6", "front "[:5]), ("b", None, None)]
    samples = [Sample(f"{n}.jpg", who, "test", c, v) for n, (who, c, v) in enumerate(rows)]
    (note,) = note_spellings(Manifest.of("toy", tmp_path, samples))
    assert note.startswith("2 cameras become 1 when one ignores letter case: 'Gate6' and 'gate6'.")


def test_images_named_by_their_files_have_no_spellings(tmp_path: Path) -> None:
    samples = [Sample(name, name, "train") for name in ("1.jpg", "01.jpg")]
    assert note_spellings(Manifest.of("toy", tmp_path, samples)) == ()
