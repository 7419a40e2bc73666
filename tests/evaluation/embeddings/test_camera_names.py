from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from promptreid.data.manifest.unknown_values import UnknownWords
from promptreid.errors import EvaluationError
from promptreid.evaluation import Embeddings, evaluate
from promptreid.evaluation.embeddings.camera_names import CameraNames


def embed(count: int, **columns) -> Embeddings:
    vectors = torch.randn(count, 4, generator=torch.Generator().manual_seed(0))
    identities = [f"p{row % 3}" for row in range(count)]
    return Embeddings.from_vectors(vectors, identities, **columns)


def test_numbers_and_names_are_names() -> None:
    values = ["gate6", 3, 3.0, np.int64(3), np.float32(3), " 3 ", 1_700_000_000, 10**30, 2.5, 0]
    assert CameraNames.of(values) == (
        "gate6", "3", "3", "3", "3", "3", "1700000000", str(10**30), "2.5", "0",
    )  # fmt: skip


@pytest.mark.parametrize(
    "word", [None, float("nan"), np.nan, -1, -1.0, np.int64(-1), "-1", "", "NaN", "NULL", "?"]
)
def test_what_is_not_known_is_none(word: object) -> None:
    assert CameraNames.of([word, "1"]) == (None, "1")
    assert embed(2, cameras=[word, 1]).cameras == (None, "1")
    vectors = torch.eye(2)
    assert Embeddings(vectors, ("a", "b"), (word, 1)).cameras == (None, "1")  # ty: ignore


@pytest.mark.parametrize("kind", [np.array, torch.tensor, tuple, list])
def test_any_sequence_of_numbers(kind) -> None:
    assert CameraNames.of(kind([4, -1, 5, 4])) == ("4", None, "5", "4")


def test_words_can_be_names() -> None:
    keep = UnknownWords(keep=True)
    values = ["unknown", "-1", -1, None, float("nan"), ""]
    assert CameraNames.of(values, words=keep) == ("unknown", "-1", "-1", None, None, None)
    kept = embed(3, cameras=["unknown", 1, 2], unknown="keep")
    assert kept.cameras == kept.select([0, 1, 2]).cameras == ("unknown", "1", "2")


@pytest.mark.parametrize("wrong", [True, b"1", ("a", "b"), object()])
def test_what_is_neither_a_name_nor_a_number(wrong: object) -> None:
    with pytest.raises(EvaluationError, match=r"camera of row 1 \(b.jpg\) is .*a name, a number"):
        embed(2, cameras=["1", wrong], paths=["a.jpg", "b.jpg"])


@pytest.mark.slow
@given(st.lists(st.none() | st.integers() | st.text(max_size=4), max_size=8))
def test_names_read_once_stay(values: list) -> None:
    names = CameraNames.of(values)
    assert CameraNames.of(names) == names
    assert all(name is None or name == name.strip() != "" for name in names)


@pytest.mark.parametrize("word", [-1, "nan", "NULL", "unknown", None])
def test_an_unknown_camera_switches_the_rule_off(word: object) -> None:
    cameras = [row % 2 for row in range(12)]
    known = embed(12, cameras=cameras)
    partly = embed(12, cameras=[word if camera else camera for camera in cameras])
    without = embed(12)
    query, gallery = [0, 1, 2], [*range(3, 12)]

    def score(data: Embeddings):
        return evaluate(data.select(query), data.select(gallery))

    assert score(known).same_camera == "exclude"
    assert score(partly).same_camera == "keep"
    assert score(partly).mAP == score(without).mAP


@pytest.mark.parametrize("word", [None, float("nan"), -1, "nan", "unknown", "-1", "?"])
def test_an_unknown_identity_is_no_identity(word: object) -> None:
    with pytest.raises(
        EvaluationError, match=rf"of 2 of 3 images is not known: .{re.escape(str(word))}. \(2\)"
    ):
        Embeddings.from_vectors(torch.eye(3), ["a", word, word])
    if word is None or word != word:
        with pytest.raises(EvaluationError, match="identity of 2 of 3 images is not known"):
            Embeddings.from_vectors(torch.eye(3), ["a", word, word], unknown="keep")
    else:
        kept = Embeddings.from_vectors(torch.eye(3), ["a", word, word], unknown="keep")
        assert kept.identities == ("a", str(word), str(word))


def test_identities_of_numbers_are_named_by_value() -> None:
    values = [7, 7.0, np.int64(7), np.float32(7), " 7 ", 10**30, 0.5, ("a", 1)]
    data = Embeddings.from_vectors(torch.eye(len(values)), values)
    assert data.identities == ("7", "7", "7", "7", "7", str(10**30), "0.5", "('a', 1)")
