"""The names that someone may have meant."""

import pytest

from promptreid.errors import unknown_name
from promptreid.text.suggest import closest, did_you_mean, either, plain

NAMES = ["clip-reid", "clip-reid/hand", "prompt-sg", "prompt-learning", "zero-shot", "ViT-B-16"]


@pytest.mark.parametrize(
    ("got", "best"),
    [
        ("clipreid", "clip-reid"), ("CLIP_ReID", "clip-reid"), ("clip-reid/hnd", "clip-reid/hand"),
        ("promptsg", "prompt-sg"), ("zeroshot", "zero-shot"), ("learning", "prompt-learning"),
        ("vitb16", "ViT-B-16"), ("ViT-B/16@224px", "ViT-B-16"),
    ],
)  # fmt: skip
def test_the_best_comes_first(got, best):
    assert closest(got, NAMES)[0] == best
    assert len(closest(got, NAMES)) <= 3


def test_nothing_alike_is_nothing():
    assert closest("xyz", NAMES) == []
    assert closest("", NAMES) == []
    assert did_you_mean([]) == ""


def test_words():
    assert did_you_mean(["a", "b", "c"]) == " Did you mean 'a', 'b' or 'c'?"
    assert either(["a"]) == "'a'"
    assert plain("ViT-B/16") == plain("vit_b_16") == "vitb16"


def test_of_thousands_of_names_the_closest_and_the_first_are_said() -> None:
    words = unknown_name("video", "front-7", [f"front-{number:04d}" for number in range(3000)])
    assert "Did you mean 'front-0007'" in words
    assert words.endswith("front-0199 and 2,800 more.")
    assert unknown_name("video", "a", ["b", "c"]).endswith("Known: b, c.")
