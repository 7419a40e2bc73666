"""What a gallery answers beside whom a picture shows: pairs of pictures, and sentences."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from promptreid.errors import WeightsError
from promptreid.gallery.audit.audited_answers import describe_text_search, describe_verification
from promptreid.gallery.opened_gallery import OpenedGallery
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.texts.text_answer import TextAnswer
from promptreid.gallery.texts.text_index import TextIndex
from promptreid.gallery.texts.text_search import TextQuery, rank_by_text, score_by_text
from promptreid.gallery.vector_model import (
    GalleryImage,
    Pixels,
    as_image,
    check_still_searched,
)

if TYPE_CHECKING:
    from promptreid.evaluation.thresholds.threshold import PairComparison, Threshold

OWN_IMAGES = 5000
"""Images of which all pairs are made for a gallery's own threshold; of more, so many are drawn."""


class FurtherSearches(OpenedGallery):
    """The part of a gallery that compares pairs and looks for sentences."""

    @functools.cached_property
    def _texts(self) -> TextIndex:
        """The vectors that compare with sentences, read at the first search for one."""
        return TextIndex()

    def verify(
        self,
        first: GalleryImage | Pixels | str,
        second: GalleryImage | Pixels | str,
        *,
        threshold: Threshold | None = None,
        asked_by: str = "",
    ) -> PairComparison:
        """Say whether two images show one identity; who they are does not matter.

        Args:
            first: An image.
            second: Another.
            threshold: From which score on they do, such as what `own_threshold` gives; None for
                the threshold that the model's training stored.
            asked_by: Who asks, for the audit records where uses are written down.

        Raises:
            GalleryError: The gallery was opened without a model.
            WeightsError: The model has no threshold, and none is given.
            UnreadableImage: An image cannot be read.
        """
        model = self._require_model()
        chosen = model.threshold if threshold is None else threshold
        if chosen is None:
            from promptreid.evaluation.thresholds.stored_threshold import NO_THRESHOLD

            raise WeightsError(NO_THRESHOLD)
        images = as_image(first), as_image(second)
        pair = model.vectors(images)
        compared = chosen.compare(float(pair[0] @ pair[1]))
        if self.audit.is_on:
            self.audit.note([describe_verification(*images, compared, asked_by)])
        return compared

    @property
    def threshold(self) -> Threshold | None:
        """The threshold for `verify` that the model's training stored; None where it stored none.

        Raises:
            GalleryError: The gallery was opened without a model.
        """
        return self._require_model().threshold

    def own_threshold(self, far: float | None = None, *, most: int = OWN_IMAGES) -> Threshold:
        """Choose a threshold for `verify` on the pairs of images that are enrolled.

        Args:
            far: The share of pairs of different identities that may be accepted; None for the first
                of 0.001, 0.01 and 0.1 that there are enough identities for.
            most: Images that make pairs; of more, so many are drawn by chance.

        Raises:
            GalleryError: There are too few images of different identities for the rate.
            EvaluationError: The rate is not between 0 and 1.
        """
        from promptreid.gallery.own_pairs import choose_own_threshold  # loads PyTorch

        with self._lock:
            return choose_own_threshold(self.records, far, most=most)

    def search_text(
        self,
        query: TextQuery | str,
        *,
        top: int = 5,
        filters: Filters | None = None,
        by_identity: bool = True,
        asked_by: str = "",
    ) -> TextAnswer:
        """Rank who is enrolled by a sentence, alone or beside a picture.

        Whether nobody fits is not decided.

        Args:
            query: A sentence, such as "a person in a red coat", or more than that.
            top: Candidates that are named, one at least.
            filters: Which enrolled images may answer.
            by_identity: Whether an identity comes once, with its best image, or images one by one.
            asked_by: Who asks, for the audit records.

        Raises:
            GalleryError: The gallery was opened without a model, or a filter names an identity that
                is not there.
            WeightsError: The model has no text side.
            ConfigError: The sentence is empty or too long, or a template lacks `{text}`.
            UnreadableImage: The picture cannot be read.
        """
        model, filters = self._require_model(), filters or Filters()
        asked = TextQuery(query) if isinstance(query, str) else query
        sentence = model.sentence_vectors([asked.sentence], asked.templates)[0]
        image = None if asked.image is None else as_image(asked.image)
        vector = None if image is None else model.vectors([image])
        with self._lock:
            for name in filters.identities or ():
                self.records.identity(name)
            self._state.refresh(self.records)
            check_still_searched(self.records.place, model, self.records.model())
            with self.records.reading():
                self._texts.refresh(self.records, model)
            camera = None if image is None else image.camera
            scores = score_by_text(
                self._texts, self._state, sentence, filters, vector=vector, camera=camera
            )
            names, basis = self._state.names, self._find_basis()
        weight = 1.0 if image is None else asked.weight
        answer = TextAnswer(
            sentence=asked.sentence,
            weight=weight,
            candidates=rank_by_text(scores, names, weight=weight, top=top, by_identity=by_identity),
            searched=len(scores.entries),
            missing=scores.missing,
            remark=model.text_remark,
        )
        if self.audit.is_on:
            self.audit.note([describe_text_search(answer, image, asked_by)], basis)
        return answer
