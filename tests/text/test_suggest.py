"""The names that someone may have meant."""

import pytest

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
