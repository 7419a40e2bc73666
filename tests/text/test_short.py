"""Long names in little room."""

import pytest

from promptreid.text.short import ending, folded, shortened


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("short", "short"),
        ("full_without-site0_seed1", "full_without-\nsite0_seed1"),
        ("abcdefghijklmnopqrstuvwxyz", "abcdefghijklmno\npqrstuvwxyz"),
        ("a" * 20 + "b" * 20, "a" * 14 + "…\n" + "b" * 15),
        ("two words of a name", "two words of a \nname".replace(" \n", "\n")),
    ],
)
def test_long_names_take_two_lines(name, words):
    found = folded(name, 15)
    assert found == words
    assert max(map(len, found.splitlines())) <= 15


@pytest.mark.parametrize("width", [4, 5, 8, 20])
def test_the_middle_or_the_beginning_goes_first(width):
    name = "beginning-middle-end"
    assert len(shortened(name, width)) == len(ending(name, width)) == width
    assert shortened(name, width)[0] == "b"
    assert shortened(name, width)[-1] == ending(name, width)[-1] == "d"
    if width < len(name):
        assert "…" in shortened(name, width)
        assert ending(name, width)[0] == "…"
