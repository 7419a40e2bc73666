"""Scores of identities against loops that follow the definition."""

import numpy as np
import pytest

from promptreid.errors import GalleryError
from promptreid.gallery.searching.aggregate import Aggregate, identity_scores


def naive(queries, vectors, codes, identities, allowed, aggregate):
    scores = np.full((len(queries), identities), -np.inf)
    for number, query in enumerate(queries):
        may = allowed if allowed.ndim == 1 else allowed[number]
        for identity in range(identities):
            rows = [row for row in range(len(vectors)) if codes[row] == identity and may[row]]
            if not rows:
                continue
            if aggregate.kind == "mean-vector":
                mean = vectors[rows].astype(np.float64).mean(0)
                scores[number, identity] = query @ mean / np.linalg.norm(mean)
            else:
                best = sorted((float(query @ vectors[row]) for row in rows), reverse=True)
                scores[number, identity] = np.mean(best[: aggregate.images])
    return scores


@pytest.mark.parametrize("text", ["best", "mean-of-1", "mean-of-2", "mean-of-9", "mean-vector"])
@pytest.mark.parametrize("mask", ["all", "few", "by query", "none"])
def test_scores_are_those_of_the_definition(text, mask):
    rng = np.random.default_rng(1)
    queries, vectors = (
        (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
        for drawn in (rng.normal(size=(7, 12)), rng.normal(size=(60, 12)))
    )
    codes = rng.integers(0, 9, 60)
    allowed = {
        "all": np.ones(60, bool),
        "few": rng.random(60) < 0.15,
        "by query": rng.random((7, 60)) < 0.4,
        "none": np.zeros(60, bool),
    }[mask]
    aggregate = Aggregate.parse(text)
    scores = identity_scores(queries, vectors, codes, 10, allowed, aggregate)
    np.testing.assert_allclose(
        scores, naive(queries, vectors, codes, 10, allowed, aggregate), atol=1e-6
    )


def test_an_aggregate_is_written_as_it_is_read():
    for text in ("best", "mean-of-3", "mean-vector"):
        assert str(Aggregate.parse(text)) == text
    for text in ("mean", "mean-of-0", "mean-of-x", ""):
        with pytest.raises(GalleryError, match="mean-of-K"):
            Aggregate.parse(text)
