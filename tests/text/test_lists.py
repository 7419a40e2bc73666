"""Lists of names in sentences."""

from promptreid.text.lists import counted, listed, shorten_list


def test_the_first_names_and_how_many_more():
    assert shorten_list(["a", "b"]) == "a, b"
    assert shorten_list([str(number) for number in range(1003)]) == "0, 1, 2 and 1,000 more"
    assert shorten_list(["a", "b"], limit=1) == "a and 1 more"
    assert shorten_list(["a, b", "c", "d"], limit=2, separator="; ") == "a, b; c; and 1 more"


def test_a_name_cannot_begin_a_line_of_its_own():
    assert (
        shorten_list(["a\nerror: all is lost", "\x1b[2J"])
        == r"a\u000aerror: all is lost, \u001b[2J"
    )


def test_numbers_with_what_they_count():
    assert counted(1, "folder") == "1 folder"
    assert counted(0, "folder") == "0 folders"
    assert counted(2000, "person", "people") == "2,000 people"


def test_lists_in_sentences():
    assert [listed(words) for words in (["a", "b", "c"], ["a", "b"], ["a"], [])] == [
        "a, b and c",
        "a and b",
        "a",
        "",
    ]
    assert listed(["a", "b"], "or") == "a or b"
