from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from promptreid.errors import EvaluationError
from promptreid.evaluation import Embeddings, Rerank, evaluate, rerank_blocks, rerank_distances
from promptreid.evaluation.retrieval_settings import RetrievalSettings

GOLDEN = Path(__file__).parents[2] / "golden" / "clip_reid.npz"


def plain_rerank(query, gallery, k1, k2, lam):
    """The definition, dense and in float64, image by image."""
    x = np.concatenate([query, gallery]).astype(np.float64)
    n = len(x)
    # Equal images must be equally far in the oracle as well, hence the rounding far below 1e-5.
    cosine = np.round(x @ x.T, 12)
    distance = np.maximum(2 - 2 * cosine, 0)
    farthest = distance.max(axis=1, keepdims=True)
    distance = distance / np.where(farthest > 0, farthest, 1)
    rank = np.argsort(-cosine, axis=1, kind="stable")

    def mutual(k):
        near = [set(row[: k + 1].tolist()) for row in rank]
        return [{j for j in near[i] if i in near[j]} for i in range(n)]

    wide, narrow = mutual(k1), mutual(int(np.around(k1 / 2)))
    weight = np.zeros((n, n))
    for i in range(n):
        members = set(wide[i])
        for j in wide[i]:
            if len(narrow[j] & wide[i]) > 2 / 3 * len(narrow[j]):
                members |= narrow[j]
        members = sorted(members)
        weight[i, members] = np.exp(-distance[i, members])
        weight[i] /= weight[i].sum()
    if k2 > 1:
        weight = np.stack([weight[rank[i, :k2]].mean(axis=0) for i in range(n)])
    q = len(query)
    shared = np.stack([np.minimum(weight[i], weight[q:]).sum(axis=1) for i in range(q)])
    return (1 - lam) * (1 - shared / (2 - shared)) + lam * distance[:q, q:]


def clustered(count, identities, dim, seed, spread=0.7):
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((identities, dim))
    owner = generator.integers(identities, size=count)
    points = centres[owner] + spread * generator.standard_normal((count, dim))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return points, owner


@pytest.mark.parametrize(
    ("k1", "k2", "lam"),
    [(20, 6, 0.3), (50, 15, 0.3), (7, 1, 0.5), (1, 1, 0.0), (5, 9, 0.1), (13, 3, 1.0)],
)
def test_equals_the_definition(k1, k2, lam):
    points, _ = clustered(260, 20, 24, seed=k1)
    query, gallery = points[:60], points[60:]
    ours = rerank_distances(
        torch.from_numpy(query), torch.from_numpy(gallery), k1=k1, k2=k2, lam=lam
    )
    assert np.abs(ours.numpy() - plain_rerank(query, gallery, k1, k2, lam)).max() < 1e-5


def test_equals_the_definition_with_duplicate_images():
    points, _ = clustered(120, 10, 8, seed=3)
    points[70:110] = points[10:50]
    points[111:119] = points[110]
    query, gallery = points[:30], points[30:]
    ours = rerank_distances(torch.from_numpy(query), torch.from_numpy(gallery), k1=9, k2=4)
    assert np.abs(ours.numpy() - plain_rerank(query, gallery, 9, 4, 0.3)).max() < 1e-5


@pytest.mark.parametrize("count", [2, 3, 12])
def test_sets_smaller_than_the_neighbourhood(count):
    points, _ = clustered(count, 2, 6, seed=count)
    query, gallery = points[:1], points[1:]
    ours = rerank_distances(torch.from_numpy(query), torch.from_numpy(gallery))
    assert np.abs(ours.numpy() - plain_rerank(query, gallery, 20, 6, 0.3)).max() < 1e-5


def test_identical_images_have_distance_zero():
    points = torch.nn.functional.normalize(torch.ones(9, 5), dim=1)
    distance = rerank_distances(points[:2], points[2:], k1=20, k2=6)
    assert torch.allclose(distance, torch.zeros(2, 7), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (50, 15)])
def test_golden_distances(k1, k2):
    with np.load(GOLDEN) as golden:
        query, gallery = (torch.from_numpy(golden[f"metrics/{name}"]) for name in ("qf", "gf"))
        expected = golden[f"rerank/dist_{k1}_{k2}"]
        expected_map = float(golden[f"rerank/mAP_{k1}_{k2}"])
        sets = [
            Embeddings.from_vectors(
                golden[f"metrics/{part}f"],
                golden[f"metrics/{part}p"],
                cameras=golden[f"metrics/{part}c"].tolist(),
            )
            for part in "qg"
        ]
    distance = rerank_distances(query, gallery, k1=k1, k2=k2, lam=0.3)
    # The published program keeps its weights in float16.
    assert np.abs(distance.numpy() - expected).max() < 6e-3
    exact = plain_rerank(query.numpy(), gallery.numpy(), k1, k2, 0.3)
    assert np.abs(distance.numpy() - exact).max() < 1e-5
    scores = evaluate(*sets, RetrievalSettings(rerank=Rerank(k1=k1, k2=k2, lam=0.3)))
    assert scores.mAP == pytest.approx(expected_map, abs=1e-3)


def test_blocks_of_any_size_give_the_same_distances():
    points, _ = clustered(210, 12, 16, seed=5)
    query, gallery = torch.from_numpy(points[:70]), torch.from_numpy(points[70:])
    whole = rerank_distances(query, gallery, k1=10, k2=4)
    for block in (1, 16, 48, 4096):
        seen = torch.zeros(70, dtype=torch.int64)
        for rows, distance in rerank_blocks(query, gallery, Rerank(k1=10, k2=4), block=block):
            seen[rows] += 1
            assert torch.equal(distance, whole[rows])
        assert torch.equal(seen, torch.ones(70, dtype=torch.int64))


def test_reranking_helps_when_neighbours_agree():
    points, owner = clustered(400, 20, 16, seed=1, spread=1.1)
    query = Embeddings.from_vectors(points[:80], owner[:80])
    gallery = Embeddings.from_vectors(points[80:], owner[80:])
    plain, ranked = (
        evaluate(query, gallery),
        evaluate(query, gallery, RetrievalSettings(rerank=Rerank(k1=10, k2=4))),
    )
    assert ranked.mAP > plain.mAP + 0.02
    assert ranked.to_dict()["rerank"] == {"k1": 10, "k2": 4, "lam": 0.3}


@pytest.mark.parametrize("wrong", [{"k1": 0}, {"k2": -1}, {"lam": 1.5}, {"k1": 2.5}])
def test_parameters_out_of_range_are_told(wrong):
    (name,) = wrong
    with pytest.raises(EvaluationError, match=name):
        Rerank(**wrong)
