"""A model as people use it."""

import pytest
from facts import lacking
from PIL import Image

import promptreid
from promptreid.evaluation import PairComparison
from promptreid.inference.load import load

pytestmark = pytest.mark.slow


def test_two_pictures_are_compared_and_shown(model, run, two):
    answer = model.same(*two)
    expected = load(run.path, device="cpu").same(*two)
    assert isinstance(answer, PairComparison)
    assert (answer.score, answer.threshold, answer.reached) == (
        expected.score, expected.threshold, expected.reached,
    )  # fmt: skip
    assert bool(answer) == answer.same
    assert f"{answer.score:.4f}" in repr(answer)
    drawn = answer.show()
    assert len(drawn.figure.axes) == 2
    assert not lacking(drawn.alt, "Two pictures", f"{answer.score:.4f}")
    assert len(model.same(*map(Image.open, two)).show().figure.axes) == 2


def test_a_model_keeps_its_kind_with_another_threshold(model):
    other = model.with_threshold(None)
    assert isinstance(other, promptreid.Model)
    assert "no threshold" in repr(other)
    assert "no threshold" not in repr(model)
