"""Test whether the words that a model reads at retrieval matter: own, others' and none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from promptreid.data.images.image_store import ImageStore
from promptreid.errors import EvaluationError
from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.test_set import TestSet
from promptreid.evaluation.uncertainty.intervals import (
    FEWEST_IDENTITIES,
    Difference,
    Evidence,
    paired_difference,
)
from promptreid.evaluation.uncertainty.resampling import BOOTSTRAP, Bootstrap
from promptreid.inference.assess import assess_embeddings
from promptreid.inference.embedder import Embedder
from promptreid.inference.text_controls.word_embed import DRAWS, embed_words
from promptreid.json_record import JsonRecord
from promptreid.progress import Progress


@dataclass(frozen=True)
class WordControl(JsonRecord):
    """Scores of the same images with different words in their sentences.

    Attributes:
        own: Scores by name, as fractions of 1, with each image's own word.
        permuted: With words of other images, the mean over the draws.
        none: With the sentence that has no word.
        own_minus_permuted: Own minus permuted by score, paired over identities.
        own_minus_none: Own minus none, likewise.
        draws: How often words were exchanged.
        seed: Seed of the exchanges and the resamples.
        identities: Number of identities that the intervals are drawn from.
        level: Share of the resamples inside each interval.
        resamples: Number of resamples.
    """

    own: Mapping[str, float]
    permuted: Mapping[str, float]
    none: Mapping[str, float]
    own_minus_permuted: Mapping[str, Difference]
    own_minus_none: Mapping[str, Difference]
    draws: int
    seed: int
    identities: int
    level: float = BOOTSTRAP.level
    resamples: int = BOOTSTRAP.resamples

    @property
    def few(self) -> bool:
        """Tell whether there are too few identities for the intervals to say much."""
        return self.identities < FEWEST_IDENTITIES

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> WordControl:
        """Read what `to_dict` gave.

        Raises:
            EvaluationError: Something is missing or of another kind.
        """
        try:
            return super().from_dict(values)
        except ValueError as error:
            raise EvaluationError(
                "These scores do not say what exchanged words do as `promptreid evaluate --words` "
                f"writes it: {error}. Measure them again."
            ) from error


def assess_words(
    embedder: Embedder,
    test_set: TestSet,
    settings: RetrievalSettings,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    store: ImageStore | None = None,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> tuple[Assessment, WordControl]:
    """Assess a model as `assess` does, and again with exchanged words and with none.

    The arguments are those of `assess` and of `embed_words`. Sentences have no share, whatever the
    settings say, and the assessment is of images with their own words. The seed is that of the
    exchanges and of the resamples.

    Returns:
        The assessment with each image's own word, as `assess` gives it for composed sentences; and
        what the words do.

    Raises:
        EvaluationError: No word reaches the retrieval vector, or no query has a match.
        UnreadableImage: An image cannot be decoded.
    """
    settings = replace(settings, sentences=0.0)
    embedded = embed_words(
        embedder,
        test_set.manifest,
        draws=draws,
        seed=seed,
        batch_size=batch_size,
        flip=settings.flip,
        store=store,
        progress=progress,
    )
    composed = replace(settings, prompt="composed")
    own = assess_embeddings(embedder, test_set, embedded.own, composed, progress=progress)
    *permuted, none = (
        replace(own, embeddings=embeddings).scores
        for embeddings in (*embedded.permuted, embedded.none)
    )
    return own, compare_words(own.scores, tuple(permuted), none, seed=seed)


def compare_words(
    own: Scores, permuted: tuple[Scores, ...], none: Scores, *, seed: int = 0
) -> WordControl:
    """Set scores with own words against those with exchanged words, a draw each, and without.

    All have the outcome of each query. The seed is that of the resamples, and what is noted as that
    of the exchanges.

    Raises:
        EvaluationError: The scores are not of the same queries.
    """
    # A draw counts as a repeat, so that a difference is the mean over all draws.
    exchanged = Evidence(_joined(permuted))
    against = Evidence(_joined((own,) * len(permuted)))
    return WordControl(
        own=own.values,
        permuted=exchanged.scores.values,
        none=none.values,
        own_minus_permuted=paired_difference(against, exchanged, Bootstrap(seed=seed)),
        own_minus_none=paired_difference(Evidence(own), Evidence(none), Bootstrap(seed=seed)),
        draws=len(permuted),
        seed=seed,
        identities=len(against.identities()),
    )


def _joined(draws: tuple[Scores, ...]) -> Scores:
    """Take the repeats of several scores as repeats of one."""
    return replace(
        draws[0],
        per_repeat=tuple(repeat for scores in draws for repeat in scores.per_repeat),
        results=tuple(result for scores in draws for result in scores.results),
    )
