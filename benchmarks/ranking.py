"""`ranking`: CMC, mAP and mINP of a retrieval benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.compare import Check, Comparison, Settings
from benchmarks.features import camera_numbers, market_like
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.ranking.scoring import evaluate
from promptreid.evaluation.retrieval_settings import RetrievalSettings

_RANKS = 20


@dataclass(frozen=True)
class _Plain:
    mean_ap: float
    mean_inp: float
    cmc: NDArray[np.float64]


def ranking(settings: Settings) -> Iterator[Comparison]:
    """Compare scoring from embeddings to the mean scores.

    Plain: all distances, a full sort of every row, and a loop over the queries, as published code
    does. Ours: `evaluate`, which counts closer images in blocks of queries. Both leave out images
    of the query's identity and camera.
    """
    query, gallery = market_like(settings)
    query, gallery = query.to(settings.device), gallery.to(settings.device)
    yield Comparison(
        "ranking",
        lambda: _plain(query, gallery),
        lambda: evaluate(query, gallery, RetrievalSettings(same_camera="exclude")),
        _checks,
        repeats=3,
    )


def _plain(query: Embeddings, gallery: Embeddings) -> _Plain:
    left, right = query.vectors.cpu().numpy(), gallery.vectors.cpu().numpy()
    distance = 2 - 2 * left @ right.T
    order = np.argsort(distance, axis=1)
    people = np.array(gallery.identities)
    own_cameras, cameras = camera_numbers(query, gallery)
    precisions, penalties, curves = [], [], []
    for row, (person, camera) in enumerate(zip(query.identities, own_cameras, strict=True)):
        ranked = order[row]
        kept = ~((people[ranked] == person) & (cameras[ranked] == camera))
        match = (people[ranked] == person)[kept]
        if not match.any():
            continue
        found = match.cumsum()
        ranks = np.nonzero(match)[0] + 1
        precisions.append((found[match] / ranks).mean())
        penalties.append(len(ranks) / ranks[-1])
        curves.append(found[:_RANKS] > 0)
    return _Plain(
        mean_ap=float(np.mean(precisions)),
        mean_inp=float(np.mean(penalties)),
        cmc=np.mean(curves, axis=0),
    )


def _checks(plain: _Plain, ours: Scores) -> tuple[Check, ...]:
    curve = max(abs(plain.cmc[rank - 1] - ours.cmc[rank]) for rank in (1, 5, 10, 20))
    apart = (abs(plain.mean_ap - ours.mAP), abs(plain.mean_inp - ours.mINP), float(curve))
    # The two products round similarities differently, which may exchange two images as close as
    # float32 can tell.
    return (Check("mAP, mINP and CMC", max(apart), 1e-6),)
