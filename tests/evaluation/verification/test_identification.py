from __future__ import annotations

import json
import math

import numpy as np
import pytest

from promptreid.errors import EvaluationError
from promptreid.evaluation import evaluate
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.multi_query import join_queries
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.verification.identification import identify


def random_set(count, seed, identities=12, coarse=False):
    generator = np.random.default_rng(seed)
    names = generator.integers(0, identities, count)
    if coarse:
        vectors = generator.choice([-0.5, 0.5], (count, 4))
    else:
        centers = np.random.default_rng(9).standard_normal((identities, 6))
        vectors = centers[names] + 0.9 * generator.standard_normal((count, 6))
    return Embeddings.from_vectors(vectors, names, cameras=generator.integers(0, 3, count).tolist())


def naive(query, gallery, fpirs, rank, exclude):
    """Search by search: the threshold that finds most of who is enrolled."""
    cosines = (query.vectors.double() @ gallery.vectors.double().T).float().numpy()
    enrolled, found, strangers = 0, [], []
    for q, name in enumerate(query.identities):
        kept = [
            g
            for g in range(len(gallery))
            if not (
                exclude and gallery.identities[g] == name and gallery.cameras[g] == query.cameras[q]
            )
        ]
        others = [cosines[q, g] for g in kept if gallery.identities[g] != name]
        own = [cosines[q, g] for g in kept if gallery.identities[g] == name]
        strangers.append(max(others))
        if own:
            enrolled += 1
            if sum(other >= max(own) for other in others) < rank:
                found.append(max(own))
    answers = []
    for fpir in fpirs:
        allowed = math.floor(round(fpir * len(strangers), 9))
        best = 0
        for threshold in {*found, *strangers}:
            if sum(score >= threshold for score in strangers) <= allowed:
                best = max(best, sum(score >= threshold for score in found))
        answers.append(best / enrolled if allowed else None)
    return enrolled, answers


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("rule", ["exclude", "keep"])
@pytest.mark.parametrize("rank", [1, 3])
def test_equals_searches_one_by_one(coarse, rule, rank):
    # Identities 8 to 11 are in no gallery.
    query = random_set(80, 1, coarse=coarse)
    gallery = random_set(70, 2, identities=8 if coarse else 12, coarse=coarse)
    fpirs = (0.5, 0.1, 0.05, 0.001)
    enrolled, answers = naive(query, gallery, fpirs, rank, rule == "exclude")
    found = identify(query, gallery, fpirs=fpirs, rank=rank, same_camera=rule, block=16)
    assert (found.enrolled, found.searches) == (enrolled, 80)
    assert [point.tpir for point in found.points] == answers
    assert answers[-1] is None
    assert found.tpir(0.1) == answers[1]
    for point in found.points[:-1]:
        assert point.false_answers <= point.fpir * 80
    values = found.to_dict()
    assert json.loads(json.dumps(values)) == values


def test_a_loose_threshold_leaves_closed_set_identification():
    query, gallery = random_set(60, 3), random_set(60, 4)
    found = identify(query, gallery, fpirs=(0.999,), same_camera="exclude")
    rank_one = evaluate(query, gallery, RetrievalSettings(same_camera="exclude")).cmc[1]
    assert found.tpir(0.999) == pytest.approx(rank_one, abs=2 / 60)


def test_joined_queries():
    query, gallery = random_set(60, 3), random_set(60, 4)
    joined = join_queries(query, "identity")
    found = identify(query, gallery, fpirs=(0.2,), multi_query="identity", same_camera="keep")
    assert found == identify(joined, gallery, fpirs=(0.2,), same_camera="keep")


def test_mistakes_are_told():
    data = random_set(20, 1)
    with pytest.raises(EvaluationError, match="lie between 0 and 1"):
        identify(data, data, fpirs=(2.0,))
    with pytest.raises(EvaluationError, match="Ranks count from 1; got 0"):
        identify(data, data, rank=0)
    one = Embeddings.from_vectors(np.eye(3), ["a"] * 3)
    two = Embeddings.from_vectors(np.eye(3), ["b"] * 3)
    with pytest.raises(EvaluationError, match="at least two identities"):
        identify(one, one)
    with pytest.raises(EvaluationError, match="no one is enrolled"):
        identify(one, two)
    with pytest.raises(EvaluationError, match=r"there are 0\.1"):
        identify(data, data, fpirs=(0.1,)).tpir(0.2)
