from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from promptreid.config.scoring import EvaluationConfig
from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import EvaluationError
from promptreid.evaluation import (
    Embeddings,
    Expansion,
    Rerank,
    evaluate,
    evaluate_protocol,
    expand,
    render_scores,
)
from promptreid.evaluation.retrieval_settings import RetrievalSettings


def unit(count, seed, width=6):
    rows = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, width))).float()
    return torch.nn.functional.normalize(rows, dim=1)


def expanded_naively(vectors, gallery, neighbours, power, *, itself):
    """One vector at a time, one neighbour at a time, in Python floats."""
    found = []
    for row, vector in enumerate(vectors.double().tolist()):
        near = []
        for column, other in enumerate(gallery.double().tolist()):
            if not (itself and row == column):
                near.append((-sum(a * b for a, b in zip(vector, other, strict=True)), column))
        total = list(vector)
        for negative, column in sorted(near)[:neighbours]:
            if negative < 0:
                weight = (-negative) ** power
                pairs = zip(total, gallery[column].tolist(), strict=True)
                total = [a + weight * b for a, b in pairs]
        length = math.sqrt(sum(value**2 for value in total))
        found.append([value / length for value in total])
    return torch.tensor(found)


@pytest.mark.parametrize(("neighbours", "power"), [(1, 3.0), (4, 3.0), (4, 0.0), (7, 0.5)])
def test_equals_the_formula(neighbours, power):
    query, gallery = unit(9, 0), unit(20, 1)
    found, wide = expand(query, gallery, Expansion(neighbours, power))
    wanted = expanded_naively(query, gallery, neighbours, power, itself=False)
    assert torch.allclose(found, wanted, atol=1e-5)
    wanted = expanded_naively(gallery, gallery, neighbours, power, itself=True)
    assert torch.allclose(wide, wanted, atol=1e-5)


def test_one_set_stays_one_set():
    vectors = unit(30, 2)
    left, right = expand(vectors, vectors, Expansion(3))
    assert left is right
    wanted = expanded_naively(vectors, vectors, 3, 3.0, itself=True)
    assert torch.allclose(left, wanted, atol=1e-5)


def test_blocks_and_other_queries_change_nothing():
    query, gallery = unit(50, 3), unit(60, 4)
    whole = expand(query, gallery, Expansion(5))
    for block in (16, 32):
        for one, other in zip(
            whole, expand(query, gallery, Expansion(5), block=block), strict=True
        ):
            assert torch.equal(one, other)
    alone, _ = expand(query[7:8], gallery, Expansion(5))
    assert torch.equal(alone, whole[0][7:8])


def test_equal_gallery_images_in_their_order():
    gallery = unit(4, 5)[[0, 0, 1, 0, 2, 0]]
    found, _ = expand(gallery[:1].clone(), gallery, Expansion(2, 1.0))
    assert torch.allclose(found, gallery[:1], atol=1e-6)


def test_more_neighbours_than_images_and_far_sides():
    query = torch.tensor([[1.0, 0.0]])
    gallery = torch.tensor([[-1.0, 0.0], [0.0, 1.0]])
    found, wide = expand(query, gallery, Expansion(10, 0.0))
    assert torch.equal(found, query)
    assert torch.equal(wide, gallery)
    assert torch.equal(expand(query, gallery[:1], Expansion(3))[1], gallery[:1])


def test_helps_a_query_whose_relatives_agree():
    """The first match is close; it leads to the second, which a stranger is closer to at first."""
    query = Embeddings.from_vectors(torch.tensor([[1.0, 0.0, 0.0]]), ["a"])
    rows = torch.tensor([[0.9, 0.44, 0.0], [0.3, 0.95, 0.0], [0.55, 0.0, 0.83]])
    gallery = Embeddings.from_vectors(rows, ["a", "a", "b"])
    plain = evaluate(query, gallery)
    wide = evaluate(query, gallery, RetrievalSettings(expansion=Expansion(1)))
    assert plain.mAP == pytest.approx((1 + 2 / 3) / 2)
    assert wide.mAP == 1
    assert wide.settings.expansion == Expansion(1)


def test_scoring_expanded_vectors_is_the_same_as_expanding_while_scoring():
    query, gallery = unit(40, 6), unit(60, 7)
    names = np.arange(40) % 8, np.arange(60) % 8
    left, right = expand(query, gallery, Expansion(4))
    for rerank in (None, Rerank(k1=6, k2=2)):
        before = evaluate(
            Embeddings.from_vectors(left, names[0], normalize=False),
            Embeddings.from_vectors(right, names[1], normalize=False),
            RetrievalSettings(rerank=rerank),
        )
        within = evaluate(
            Embeddings.from_vectors(query, names[0]),
            Embeddings.from_vectors(gallery, names[1]),
            RetrievalSettings(expansion=Expansion(4), rerank=rerank),
        )
        assert within.mAP == pytest.approx(before.mAP, abs=1e-6)
        assert within.mINP == pytest.approx(before.mINP, abs=1e-6)


def test_what_was_applied_is_said():
    data = Embeddings.from_vectors(unit(40, 8), np.arange(40) % 5)
    protocol = Protocol("drawn", (Repeat(np.arange(10), np.arange(10, 40)),), "keep", "step")
    scores = evaluate_protocol(
        data, protocol, RetrievalSettings(expansion=Expansion(3, 2.0), rerank=Rerank())
    )
    found = scores.to_dict()
    assert found["query_expansion"] == {"neighbours": 3, "power": 2.0}
    assert found["flip"] is False
    text = render_scores(scores, "x")
    assert "nearest gallery images (3 neighbours, power 2)" in text
    assert text.index("3 neighbours") < text.index("Re-ranked")
    assert "mirror" not in text
    assert "mirror image" in render_scores({**found, "flip": True}, "x")
    old = {key: value for key, value in found.items() if key not in ("flip", "query_expansion")}
    assert "neighbours, power" not in render_scores(old, "x")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0,), "neighbours from 1; got 0"),
        ((2.5,), "got 2.5"),
        ((True,), "got True"),
        ((2, -1.0), "power of 0 or more; got -1.0"),
        ((2, float("nan")), "got nan"),
    ],
)
def test_parameters_out_of_range(arguments, words):
    with pytest.raises(EvaluationError, match=words):
        Expansion(*arguments)


def test_settings_of_a_recipe_and_of_a_command():
    plain = RetrievalSettings.of(EvaluationConfig())
    assert plain == RetrievalSettings()
    recipe = EvaluationConfig(flip=True, query_expansion=5, expansion_power=1.0, rerank=True)
    assert RetrievalSettings.of(recipe) == RetrievalSettings(True, Expansion(5, 1.0), Rerank())
    off = RetrievalSettings.of(recipe, flip=False, query_expansion=0, rerank=False)
    assert off == plain
    other = RetrievalSettings.of(recipe, expansion_power=2.0, query_expansion=3)
    assert other.expansion == Expansion(3, 2.0)
