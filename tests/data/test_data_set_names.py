from __future__ import annotations

import pytest

from promptreid.data.data_set_names import name_data_sets


@pytest.mark.parametrize(
    ("places", "labels"),
    [
        ([("a", "/x"), ("b", "/x")], ["a", "b"]),
        ([("a", "/x/one"), ("a", "/x/two"), ("b", "/y")], ["a:one", "a:two", "b"]),
        ([("a", "/x/s"), ("a", "/y/s"), ("a", "/y/t")], ["a:x/s", "a:y/s", "a:t"]),
        ([("a", "/s"), ("a", "/y/s")], ["a:s", "a:y/s"]),
        ([("a", "/x"), ("a", "/x")], ["a"]),
        ([("a", "/x/one/a.csv"), ("a", "/x/two/a.csv")], ["a:one", "a:two"]),
        ([("a", "/x/a.csv"), ("a", "/x/a.tsv")], ["a:/x/a.csv", "a:/x/a.tsv"]),
        ([("a", "/x/one/a.csv"), ("a", "/x/one")], ["a:/x/one/a.csv", "a:x/one"]),
        ([("a.b", "/x/a.b"), ("a.b", "/y/a.b")], ["a.b:x/a.b", "a.b:y/a.b"]),
        ([], []),
    ],
)
def test_labels(places, labels) -> None:
    found = name_data_sets(places)
    assert [found[place] for place in dict.fromkeys(places)] == labels
    assert len(set(found.values())) == len(found)
