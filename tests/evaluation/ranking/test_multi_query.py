from __future__ import annotations

import numpy as np
import pytest
import torch

from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import EvaluationError
from promptreid.evaluation import Embeddings, evaluate, evaluate_protocol, render_scores
from promptreid.evaluation.ranking.multi_query import join_queries
from promptreid.evaluation.retrieval_settings import RetrievalSettings


def random_set(count, seed, identities=6, cameras=3):
    generator = np.random.default_rng(seed)
    return Embeddings.from_vectors(
        generator.standard_normal((count, 7)),
        generator.integers(0, identities, count),
        cameras=generator.integers(0, cameras, count).tolist(),
        paths=[f"{seed}-{row}.jpg" for row in range(count)],
    )


def naive_groups(queries, by):
    groups: dict[tuple, list[int]] = {}
    for row, (name, camera) in enumerate(zip(queries.identities, queries.cameras, strict=True)):
        groups.setdefault((name, camera) if by == "identity_camera" else (name,), []).append(row)
    return groups


def test_unknown_cameras_are_not_one_camera():
    points = torch.nn.functional.normalize(torch.eye(5) + 0.1, dim=1)
    cameras = ("gate6", "unknown", None, "gate6", -1)
    queries = Embeddings(points, ("a", "a", "a", "a", "b"), cameras)
    joined = join_queries(queries, "identity_camera")
    assert joined.identities == ("a", "a", "a", "b")
    assert joined.cameras == ("gate6", None, None, None)
    assert torch.allclose(joined.vectors[1:], points[[1, 2, 4]])
    assert join_queries(queries, "identity").identities == ("a", "b")


@pytest.mark.parametrize("by", ["identity", "identity_camera"])
def test_groups_are_directions_of_means(by):
    queries = random_set(40, 1)
    found = join_queries(queries, by)
    groups = naive_groups(queries, by)
    assert len(found) == len(groups) < 40
    for row, (key, members) in enumerate(groups.items()):
        mean = queries.vectors[members].double().mean(0)
        assert torch.allclose(found.vectors[row].double(), mean / mean.norm(), atol=1e-6)
        assert found.identities[row] == key[0]
        assert found.paths[row] == queries.paths[members[0]]
        cameras = {queries.cameras[member] for member in members}
        assert found.cameras[row] == (cameras.pop() if len(cameras) == 1 else None)


def test_single_images_stay_as_they_are():
    queries = Embeddings.from_vectors(np.eye(3) * 2.0, ["a", "b", "c"])
    found = join_queries(queries, "identity")
    assert torch.equal(found.vectors, queries.vectors)
    assert found.cameras is None


def test_joined_queries_are_scored():
    query, gallery = random_set(40, 1), random_set(60, 2)
    for by in ("identity", "identity_camera"):
        scores = evaluate(query, gallery, RetrievalSettings(same_camera="exclude", multi_query=by))
        by_hand = evaluate(
            join_queries(query, by), gallery, RetrievalSettings(same_camera="exclude")
        )
        assert scores.per_repeat == by_hand.per_repeat
        assert scores.queries == len(naive_groups(query, by))
        assert scores.to_dict()["multi_query"] == by
        assert scores.results[0].identities == join_queries(query, by).identities
    assert evaluate(query, gallery).to_dict()["multi_query"] is None
    assert evaluate(query, gallery).results[0].identities == query.identities
    text = render_scores(scores, "x")
    assert "Each query is the mean of all query images of one identity and camera." in text


def test_protocols_join_in_every_repeat():
    data = random_set(90, 3)
    rows = np.random.default_rng(0).permutation(90)
    repeats = (Repeat(rows[:30], rows[30:]), Repeat(rows[60:], rows[:60]))
    scores = evaluate_protocol(
        data, Protocol("two", repeats, "keep", "step"), RetrievalSettings(multi_query="identity")
    )
    for repeat, found in zip(repeats, scores.per_repeat, strict=True):
        single = evaluate(
            join_queries(data.select(repeat.query), "identity"),
            data.select(repeat.gallery),
            RetrievalSettings(same_camera="keep"),
        )
        assert found == single.per_repeat[0]


def test_mistakes_are_told():
    data = random_set(10, 1)
    with pytest.raises(EvaluationError, match="Did you mean 'identity'"):
        join_queries(data, "identities")
    with pytest.raises(EvaluationError, match="would hold its own answers"):
        evaluate(data, data, RetrievalSettings(multi_query="identity"))
    opposite = Embeddings.from_vectors(np.array([[1.0, 0.0], [-1.0, 0.0]]), ["z", "z"])
    with pytest.raises(EvaluationError, match="'z' cancel out"):
        join_queries(opposite, "identity")
