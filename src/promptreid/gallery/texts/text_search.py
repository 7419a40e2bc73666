"""Ranking the images of a gallery by a sentence, alone or beside a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import GalleryError
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.searching.search_state import SearchState
from promptreid.gallery.texts.text_answer import TextCandidate
from promptreid.gallery.texts.text_index import TextIndex
from promptreid.gallery.vector_model import GalleryImage, Pixels


@dataclass(frozen=True, eq=False)
class TextQuery:
    """A sentence to look for.

    Attributes:
        sentence: What the picture shows, such as "a person in a red coat".
        image: A picture to look for as well.
        weight: Share of the sentence beside the picture, 0 to 1.
        templates: Sentences with `{text}` in the place of the sentence; of several the mean counts.

    Raises:
        GalleryError: The weight is not between 0 and 1.
    """

    sentence: str
    image: GalleryImage | Pixels | str | None = None
    weight: float = 0.5
    templates: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise GalleryError(
                "The weight of the sentence must lie between 0 (the picture alone) and 1, got "
                f"{self.weight:g}."
            )


@dataclass(frozen=True, eq=False)
class TextScores:
    """Scores of N images that may answer a sentence.

    Attributes:
        entries: (N,) numbers of the entries.
        identities: (N,) number of the identity of each.
        texts: (N,) cosines to the sentence.
        missing: Further images that could answer, but have no vector for sentences.
        images: (N,) cosines to the picture beside it; None for a sentence alone.
    """

    entries: NDArray[np.int64]
    identities: NDArray[np.int64]
    texts: NDArray[np.float32]
    missing: int
    images: NDArray[np.float32] | None = None


def score_by_text(
    texts: TextIndex,
    state: SearchState,
    sentence: NDArray[np.float32],
    filters: Filters,
    *,
    vector: NDArray[np.float32] | None = None,
    camera: str | None = None,
) -> TextScores:
    """Score the images that may answer.

    Args:
        texts: Vectors for sentences, of the same revision as the state.
        state: What else is known of the gallery.
        sentence: (d,) of length 1.
        filters: Which images may answer.
        vector: (1, width) of the picture beside the sentence; None for a sentence alone.
        camera: Camera of that picture.
    """
    answering = state.find_answering(filters, camera)
    entries = state.table.entries[answering]
    places = np.searchsorted(texts.entries, entries)
    inside = np.minimum(places, max(len(texts.entries) - 1, 0))
    there = np.zeros(len(entries), bool)
    if len(texts.entries):
        there = texts.entries[inside] == entries
    rows, known = answering[there], inside[there]
    return TextScores(
        entries=entries[there],
        identities=np.array(state.table.identity_numbers, np.int64)[state.table.codes[rows]],
        texts=texts.vectors[known] @ sentence if len(known) else np.zeros(0, np.float32),
        missing=int((~there).sum()),
        images=None if vector is None else _score_images(state, vector, rows),
    )


def _score_images(
    state: SearchState, vector: NDArray[np.float32], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the cosines (N,) of a picture's vector to some rows; of none where nobody is there."""
    return state.index.score(vector, rows)[0] if len(rows) else np.zeros(0, np.float32)


def rank_by_text(
    scores: TextScores, names: dict[int, str], *, weight: float, top: int, by_identity: bool
) -> tuple[TextCandidate, ...]:
    """Rank images, or identities by their best image.

    Cosines to a sentence and to a picture lie on scales of their own: those to sentences often
    within a tenth of each other. So beside a picture each counts in standard deviations from its
    mean over all images that may answer: w z(text) + (1 - w) z(image).

    Args:
        scores: Scores of the images that may answer.
        names: Name of each identity, by number.
        weight: w, the share of the sentence beside a picture.
        top: Candidates, at most; one at least.
        by_identity: Whether an identity comes once, with its best image.
    """
    combined = scores.texts.astype(np.float64)
    if scores.images is not None:
        combined = weight * _standardize(scores.texts) + (1 - weight) * _standardize(scores.images)
    order = np.lexsort((scores.entries, -combined))
    if by_identity:
        _, first = np.unique(scores.identities[order], return_index=True)
        order = order[np.sort(first)]
    return tuple(
        TextCandidate(
            identity=names[int(scores.identities[row])],
            score=float(combined[row]),
            entry=int(scores.entries[row]),
            text_score=float(scores.texts[row]),
            image_score=None if scores.images is None else float(scores.images[row]),
        )
        for row in order[: max(top, 1)].tolist()
    )


def _standardize(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return scores in standard deviations from their mean; zeros where they are all equal."""
    wide = scores.astype(np.float64)
    spread = wide.std() if len(wide) else 0.0
    return (wide - wide.mean()) / spread if spread > 0 else np.zeros(len(wide))
