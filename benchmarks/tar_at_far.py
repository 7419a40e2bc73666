"""`tar-at-far`: true accept rates at fixed false accept rates, over all pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.compare import Check, Comparison, Settings
from benchmarks.features import camera_numbers, market_like
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.verification.verification import Verification, verify

_FARS = (1e-2, 1e-3, 1e-4)


def tar_at_far(settings: Settings) -> Iterator[Comparison]:
    """Compare thresholds and rates over every pair of query and gallery.

    Plain: all scores and labels in two long arrays, sorted for the full curve, as the metrics of
    scikit-learn do. Ours: `verify`, which counts and never holds a pair.
    """
    query, gallery = market_like(settings)
    query, gallery = query.to(settings.device), gallery.to(settings.device)
    yield Comparison(
        "tar-at-far",
        lambda: _plain(query, gallery),
        lambda: verify(query, gallery, same_camera="exclude", fars=_FARS),
        _checks,
        repeats=3,
    )


def _plain(query: Embeddings, gallery: Embeddings) -> list[tuple[float, float]]:
    """Return (threshold, TAR) for each rate."""
    scores = query.vectors.cpu().numpy() @ gallery.vectors.cpu().numpy().T
    same = np.array(query.identities)[:, None] == np.array(gallery.identities)
    own_cameras, cameras = camera_numbers(query, gallery)
    own = own_cameras[:, None] == cameras
    kept = ~(same & own)
    threshold, false, true = _curve(scores[kept], same[kept])
    points = []
    for far in _FARS:
        last = np.nonzero(false <= far)[0][-1]
        points.append((float(threshold[last]), float(true[last])))
    return points


def _curve(
    scores: NDArray[np.float32], genuine: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """Return every distinct score, falling, with the rates of false and true accepts there."""
    order = np.argsort(scores, kind="stable")[::-1]
    scores, genuine = scores[order], genuine[order]
    ends = np.append(np.nonzero(np.diff(scores))[0], len(scores) - 1)
    true = np.cumsum(genuine)[ends]
    false = 1 + ends - true
    return scores[ends], false / false[-1], true / true[-1]


def _checks(plain: list[tuple[float, float]], ours: Verification) -> tuple[Check, ...]:
    rates = [(ours.threshold(far), ours.tar(far)) for far in _FARS]
    thresholds, tars = [], []
    for (threshold, tar), (our_threshold, our_tar) in zip(plain, rates, strict=True):
        if our_threshold is None or our_tar is None:  # too few pairs to say; plain says anyway
            continue
        thresholds.append(abs(threshold - our_threshold))
        tars.append(abs(tar - our_tar))
    return (
        Check("thresholds", max(thresholds), 1e-6),
        Check("true accept rates", max(tars), 1e-4),
    )
