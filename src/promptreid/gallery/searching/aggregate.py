"""One score for each identity, from the scores of its images."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import GalleryError
from promptreid.gallery.searching.cosines import add_by_code, multiply, scale_to_one

_FEW = 0.25
"""Where fewer rows than this part are allowed, they are picked out before they are multiplied."""
_SCORES_AT_A_TIME = 1 << 25


@dataclass(frozen=True)
class Aggregate:
    """How the scores of an identity's images become one.

    Attributes:
        kind: "best", "mean-of" or "mean-vector".
        images: For "mean-of", how many of the best images count.
    """

    kind: str = "best"
    images: int = 1

    @classmethod
    def parse(cls, text: str) -> Aggregate:
        """Read `best`, `mean-of-K` or `mean-vector`.

        Raises:
            GalleryError: It is none of them.
        """
        if text in ("best", "mean-vector"):
            return cls(text)
        several = re.fullmatch(r"mean-of-([1-9]\d{0,3})", text)
        if several is None:
            raise GalleryError(
                f"{text!r} is no way to score an identity. Allowed: best (the best image), "
                "mean-of-K (mean of the best K images, such as mean-of-3), mean-vector."
            )
        return cls("mean-of", int(several[1]))

    def __str__(self) -> str:
        return f"mean-of-{self.images}" if self.kind == "mean-of" else self.kind

    @property
    def never_rises_with_fewer(self) -> bool:
        """Whether leaving images out can never raise the score of an identity."""
        return self.kind == "best"


def identity_scores(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    codes: NDArray[np.int64],
    identities: int,
    allowed: NDArray[np.bool_],
    aggregate: Aggregate,
) -> NDArray[np.float32]:
    """Score every identity for every query.

    Args:
        queries: (Q, d) of length 1.
        vectors: (M, d) of length 1.
        codes: (M,) which identity each shows, in 0...identities - 1.
        identities: Number of identities.
        allowed: (M,) or (Q, M), which images may answer.
        aggregate: How images become one score.

    Returns:
        (Q, identities) cosines; -inf where an identity has no image that may answer.
    """
    common: NDArray[np.bool_] = (
        allowed if allowed.ndim == 1 else np.logical_or.reduce(allowed, axis=0)
    )
    if np.count_nonzero(common) < _FEW * len(vectors):
        rows = np.flatnonzero(common)
        vectors, codes, allowed = vectors[rows], codes[rows], allowed[..., rows]
    scores = np.full((len(queries), identities), -np.inf, np.float32)
    step = max(1, _SCORES_AT_A_TIME // max(1, len(vectors)))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        may = allowed if allowed.ndim == 1 else allowed[part]
        score = _score_means if aggregate.kind == "mean-vector" else _score_images
        score(queries[part], vectors, codes, may, aggregate, scores[part])
    return scores


def mean_of_best(
    scores: NDArray[np.float32], codes: NDArray[np.integer], images: int
) -> NDArray[np.float32]:
    """Return the mean of the best scores of each identity that occurs, by ascending code.

    Args:
        scores: (N,) scores of images.
        codes: (N,) which identity each shows.
        images: How many of an identity's best count; all where it has fewer.
    """
    order = np.lexsort((-scores, codes))
    _, starts, places = np.unique(codes[order], return_index=True, return_inverse=True)
    best = np.arange(len(order)) - starts[places] < images
    sums = np.bincount(places[best], scores[order[best]].astype(np.float64), len(starts))
    return (sums / np.bincount(places[best], minlength=len(starts))).astype(np.float32)


def _score_images(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    codes: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    aggregate: Aggregate,
    out: NDArray[np.float32],
) -> None:
    """Write the mean of the best images of each identity into `out`."""
    scores = multiply(queries, vectors)
    if not allowed.all():
        scores[np.broadcast_to(~allowed, scores.shape)] = -np.inf
    if aggregate.images == 1:
        order = np.argsort(codes, kind="stable")
        present, starts = np.unique(codes[order], return_index=True)
        if len(present):
            out[:, present] = np.maximum.reduceat(scores[:, order], starts, axis=1)
        return
    for row, values in enumerate(scores):
        seen = np.flatnonzero(values > -np.inf)
        means = mean_of_best(values[seen], codes[seen], aggregate.images)
        out[row, np.unique(codes[seen])] = means


def _score_means(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    codes: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    aggregate: Aggregate,
    out: NDArray[np.float32],
) -> None:
    """Write the cosine to the mean vector of each identity into `out`."""
    if allowed.ndim == 1:
        means, present = _mean_vectors(vectors[allowed], codes[allowed])
        out[:, present] = multiply(queries, means)
        return
    for row, may in enumerate(allowed):
        means, present = _mean_vectors(vectors[may], codes[may])
        out[row, present] = multiply(queries[row : row + 1], means)[0]


def _mean_vectors(
    vectors: NDArray[np.float32], codes: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the mean vectors, of length 1, of the identities that have vectors, and which."""
    present, places = np.unique(codes, return_inverse=True)
    sums = np.zeros((len(present), vectors.shape[1]), np.float32)
    add_by_code(sums, vectors, places)
    return scale_to_one(sums), present
