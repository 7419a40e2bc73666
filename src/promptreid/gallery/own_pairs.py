"""The threshold for pairs that a gallery's own images give: its genuine and its impostor pairs."""

from __future__ import annotations

import numpy as np

from promptreid.errors import GalleryError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.thresholds.threshold import RATES, Threshold
from promptreid.evaluation.thresholds.threshold_choice import (
    choose_threshold,
    impostor_pairs,
    smallest_rate,
)
from promptreid.evaluation.verification.roc import allowed_accepts
from promptreid.evaluation.verification.verification import check_rates
from promptreid.gallery.records.record_store import Records
from promptreid.seeds import derive_seed


def choose_own_threshold(records: Records, far: float | None, *, most: int) -> Threshold:
    """Choose the lowest threshold that keeps a false accept rate on pairs of enrolled images.

    Hidden images make no pairs.

    Args:
        records: The gallery.
        far: The share of pairs of different identities that may be accepted; None for the first of
            0.001, 0.01 and 0.1 that there are enough identities for.
        most: Images that make pairs; of more, so many are drawn by chance, the same each time.

    Raises:
        GalleryError: There are too few images of different identities for the rate.
        EvaluationError: The rate is not between 0 and 1.
    """
    if far is not None:
        check_rates((far,))
    with records.reading():
        names = records.names()
        enrolled = [
            (vector, names[row.identity], row.camera)
            for row, vector in records.entries()
            if vector is not None and not row.hidden
        ]
    total = len(enrolled)
    if total > most:
        drawn = np.random.default_rng(derive_seed(0, total)).permutation(total)[:most]
        enrolled = [enrolled[row] for row in np.sort(drawn)]
    identities = [name for _, name, _ in enrolled]
    rate = (smallest_rate(identities) or RATES[-1]) if far is None else far
    pairs = impostor_pairs(identities)
    if not allowed_accepts(rate, pairs):
        raise GalleryError(
            f"{total:,} images of {len(set(identities)):,} identities in {records.place} make "
            f"{pairs:,} pairs of different identities, too few for a false accept rate of "
            f"{rate:g}, which needs {-(-1 // rate):,.0f}. Enrol more identities, or take a larger "
            "rate."
        )
    embeddings = Embeddings.from_vectors(
        np.stack([vector for vector, _, _ in enrolled]),
        identities,
        cameras=[camera for _, _, camera in enrolled],
        unknown="keep",
    )
    few = f", {most:,} drawn of {total:,}" if total > most else ""
    return choose_threshold(embeddings, rate, source=f"enrolled images{few}")
