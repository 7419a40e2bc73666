from __future__ import annotations

import re

import pytest

from promptreid.sweeps.run_names import cell_name, distinct_names, value_name


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0.001, "0.001"),
        ("1e-4", "1e-4"),
        (True, "true"),
        (None, "none"),
        ([256, 128], "256-128"),
        ({"identities": 4, "images": 2}, "identities-4-images-2"),
        ("A photo of a {context} hand.", "A-photo-of-a-context-hand"),
        ("../../etc/passwd", "etc-passwd"),
        ("", "empty"),
    ],
)
def test_values_are_readable_and_safe(value, name):
    assert value_name(value) == name


def test_long_values_are_cut_and_stay_apart():
    one, other = value_name("x" * 300 + "a"), value_name("x" * 300 + "b")
    assert one != other
    assert max(len(one), len(other)) <= 40


def test_cells():
    cell = {"stages.image.optimizer.lr": 1e-4, "backbone.name": "RN50"}
    assert cell_name(cell) == "lr-0.0001_backbone-RN50"
    assert cell_name({}) == ""


def test_equal_names_are_told_apart_and_the_first_keeps_its_own():
    found = distinct_names(["a-b", "A-B", "c", "a-b"], ["1", "2", "3", "4"])
    assert found[0] == "a-b"
    assert found[2] == "c"
    assert len({name.lower() for name in found}) == 4
    assert distinct_names(["a-b"], ["1"]) == found[:1]


def test_very_long_names_fit_a_file_system():
    (found,) = distinct_names(["k-" + "v" * 500], ["1"])
    assert len(found) < 140
    assert re.fullmatch(r"[A-Za-z0-9._-]+", found)
