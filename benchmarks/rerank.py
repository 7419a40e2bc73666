"""`rerank`: k-reciprocal re-ranking of a retrieval benchmark."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.compare import Check, Comparison, Settings
from benchmarks.features import market_like
from promptreid.evaluation.reranking.rerank import rerank_distances

_K1, _K2, _LAMBDA = 20, 6, 0.3


def rerank(settings: Settings) -> Iterator[Comparison]:
    """Compare re-ranked distances of all queries to the whole gallery.

    Plain: dense matrices over all images, fully sorted, as published code does. Ours: neighbours
    and sparse weights only. The formula of both is in `promptreid.evaluation.reranking.rerank`.
    """
    query, gallery = (part.vectors.to(settings.device) for part in market_like(settings))
    yield Comparison(
        "rerank",
        lambda: _plain(query.cpu().numpy(), gallery.cpu().numpy()),
        lambda: rerank_distances(query, gallery, k1=_K1, k2=_K2, lam=_LAMBDA),
        _checks,
        repeats=1,  # the plain side takes minutes and gigabytes
        warm_up=False,
    )


def _plain(query: NDArray[np.float32], gallery: NDArray[np.float32]) -> NDArray[np.float32]:
    images = np.concatenate([query, gallery])
    count, queries = len(images), len(query)
    distance = np.maximum(2 - 2 * images @ images.T, 0)
    distance /= distance.max(axis=1, keepdims=True)
    order = np.argsort(distance, axis=1).astype(np.int32)
    weights = np.zeros((count, count), dtype=np.float32)
    for image in range(count):
        found = _reciprocal(order, image, _K1)
        expanded = found
        for other in found:
            narrow = _reciprocal(order, other, round(_K1 / 2))
            if len(np.intersect1d(narrow, found)) > 2 / 3 * len(narrow):
                expanded = np.append(expanded, narrow)
        expanded = np.unique(expanded)
        weight = np.exp(-distance[image, expanded])
        weights[image, expanded] = weight / weight.sum()
    distance = distance[:queries]
    averaged = np.empty_like(weights)
    for image in range(count):
        averaged[image] = weights[order[image, :_K2]].mean(axis=0)
    weights = averaged
    del order
    holders = [np.nonzero(weights[:, image])[0] for image in range(count)]
    jaccard = np.empty((queries, count), dtype=np.float32)
    for image in range(queries):
        shared = np.zeros(count, dtype=np.float32)
        for column in np.nonzero(weights[image])[0]:
            rows = holders[column]
            shared[rows] += np.minimum(weights[image, column], weights[rows, column])
        jaccard[image] = 1 - shared / (2 - shared)
    result = (1 - _LAMBDA) * jaccard + _LAMBDA * distance
    return result[:, queries:].astype(np.float32)


def _reciprocal(order: NDArray[np.int32], image: int, k: int) -> NDArray[np.int32]:
    """Return the images among the nearest k + 1 that have `image` among theirs."""
    near = order[image, : k + 1]
    return near[(order[near, : k + 1] == image).any(axis=1)]


def _checks(plain: NDArray[np.float32], ours: Tensor) -> tuple[Check, ...]:
    return (Check("distances", float(np.abs(plain - ours.cpu().numpy()).max()), 1e-5),)
