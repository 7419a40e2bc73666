"""Formats are guessed from names, and what contradicts itself is refused."""

from pathlib import Path

import pytest
from facts import lacking

from promptreid.errors import ConfigError
from promptreid.inference.exporting.export_options import (
    CONSUMERS,
    FORMATS,
    PIXELS,
    ExportOptions,
    choose_format,
    read_options,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.onnx", "onnx"), ("a.PT2", "pt2"), ("a.pth", "clip-reid"), ("clip_a.pt", "clip-reid")],
)
def test_the_format_follows_from_the_name(name, kind):
    assert choose_format(Path(name), None) == kind
    assert choose_format(Path(name), kind) == kind


def test_a_name_that_says_nothing_needs_a_format():
    with pytest.raises(ConfigError) as caught:
        choose_format(Path("mine"), None)
    assert not lacking(str(caught.value), "mine", ".onnx", ".pt2", ".pth", *FORMATS, "--to")
    assert choose_format(Path("mine"), "hub-folder") == "hub-folder"


@pytest.mark.parametrize(
    ("name", "to"), [("a.onnx", "pt2"), ("a", "onnx"), ("a.onnx", "hub-folder"), ("a.pt", "onxx")]
)
def test_a_name_that_says_something_else_is_refused(name, to):
    with pytest.raises(ConfigError) as caught:
        choose_format(Path(name), to)
    assert to in str(caught.value)


def test_each_program_gives_pixels_of_a_known_kind():
    assert set(CONSUMERS.values()) == set(PIXELS)
    for consumer, pixels in CONSUMERS.items():
        assert ExportOptions(consumer=consumer).given_pixels == pixels
    assert ExportOptions(consumer="boxmot", pixels="unit").given_pixels == "unit"


@pytest.mark.parametrize(
    "values",
    [
        {"consumer": "botsort"},
        {"pixels": "bgr"},
        {"neck": "none"},
        {"opset": 17},
        {"check": -1},
        {"consummer": "boxmot"},
    ],
)
def test_impossible_options_are_refused(values):
    with pytest.raises(ConfigError) as caught:
        read_options(values)
    assert str(next(iter(values.values()))) in str(caught.value) or "consumer" in str(caught.value)
