"""Whether the words that a model reads at retrieval matter: scores with own, others' and none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from promptreid.data.dataset import DataSet
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.ranking.scoring import evaluate_protocol
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.uncertainty.intervals import (
    FEWEST_IDENTITIES,
    LEVEL,
    RESAMPLES,
    Difference,
    Evidence,
    paired_difference,
    ranking_scores,
)
from promptreid.inference.embed import Counter
from promptreid.inference.score_data import ranking, tested_protocol
from promptreid.inference.side_note import side_note
from promptreid.inference.text_controls.word_embed import DRAWS, embed_words
from promptreid.models.reid import ReIDModel


@dataclass(frozen=True)
class WordControl:
    """Scores of the same images with different words in their sentences.

    Attributes:
        own: Scores by name, as fractions of 1, with each image's own word.
        permuted: With words of other images, the mean over the draws.
        none: With the sentence that has no word.
        over_permuted: Own minus permuted by score, paired over identities.
        over_none: Own minus none, likewise.
        draws: How often words were exchanged.
        seed: Of the exchanges and the resamples.
        identities: Number of identities that the intervals are drawn from.
        level: Share of the resamples inside each interval.
        resamples: Number of resamples.
    """

    own: Mapping[str, float]
    permuted: Mapping[str, float]
    none: Mapping[str, float]
    over_permuted: Mapping[str, Difference]
    over_none: Mapping[str, Difference]
    draws: int
    seed: int
    identities: int
    level: float = LEVEL
    resamples: int = RESAMPLES

    @property
    def few(self) -> bool:
        """Whether there are too few identities for the intervals to say much."""
        return self.identities < FEWEST_IDENTITIES

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, JSON-ready."""
        return {
            "own": dict(self.own),
            "permuted": dict(self.permuted),
            "none": dict(self.none),
            "own_minus_permuted": _plain(self.over_permuted),
            "own_minus_none": _plain(self.over_none),
            "draws": self.draws,
            "seed": self.seed,
            "identities": self.identities,
            "level": self.level,
            "resamples": self.resamples,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> WordControl:
        """Read what `to_dict` gave.

        Raises:
            EvaluationError: Something is missing or of another kind.
        """
        try:
            return cls(
                **{name: _numbers(record[name]) for name in ("own", "permuted", "none")},
                over_permuted=_differences(record["own_minus_permuted"]),
                over_none=_differences(record["own_minus_none"]),
                draws=int(record["draws"]),
                seed=int(record["seed"]),
                identities=int(record["identities"]),
                level=float(record["level"]),
                resamples=int(record["resamples"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise EvaluationError(
                "These scores do not say what exchanged words do as `promptreid evaluate --words` "
                f"writes it: {error!r}. Measure them again."
            ) from error


def score_words(
    model: ReIDModel,
    dataset: DataSet,
    preprocess: Preprocess,
    *,
    metadata: Mapping[str, Any],
    device: torch.device,
    settings: RetrievalSettings | None = None,
    same_camera: str | None = None,
    multi_query: str | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    store: ImageStore | None = None,
    batch_size: int = 64,
    progress: Counter | None = None,
) -> tuple[Scores, Embeddings, WordControl]:
    """Score a data set as `score_data` does, and again with exchanged words and with none.

    Args:
        model: Whose retrieval vector reads the sentence of an image prompt; in eval mode
            afterwards.
        dataset: Must have something to test on.
        preprocess: That of the weights.
        metadata: Of the weights.
        device: Where the model is.
        settings: What is done to embeddings before they are ranked.
        same_camera: As in `score_data`.
        multi_query: As in `score_data`.
        draws: How often words are exchanged.
        seed: Of the exchanges and the resamples.
        store: As in `score_data`.
        batch_size: Images per forward pass.
        progress: Where to report.

    Returns:
        Scores and embeddings with each image's own word, those that `score_data` gives for
        composed sentences; and what the words do.

    Raises:
        EvaluationError: As `score_data`, or no word reaches the retrieval vector.
    """
    settings = settings or RetrievalSettings()
    manifest, protocol = tested_protocol(dataset)
    found = embed_words(
        model,
        manifest,
        preprocess,
        metadata=metadata,
        device=device,
        draws=draws,
        seed=seed,
        batch_size=batch_size,
        flip=settings.flip,
        store=store,
        progress=progress,
    )
    with ranking(manifest.name, settings.rerank, progress):
        own, none, *permuted = (
            evaluate_protocol(
                embeddings,
                protocol,
                same_camera=same_camera,
                rerank=settings.rerank,
                expansion=settings.expansion,
                multi_query=multi_query,
            )
            for embeddings in (found.own, found.none, *found.permuted)
        )
    control = compare_words(own, tuple(permuted), none, seed=seed)
    note = " ".join(filter(None, (own.note, side_note(model, manifest, metadata))))
    return replace(own, flip=settings.flip, note=note), found.own, control


def compare_words(
    own: Scores, permuted: tuple[Scores, ...], none: Scores, *, seed: int = 0
) -> WordControl:
    """Set scores with own words against those with exchanged words and without.

    Args:
        own: With the outcome of each query, and so are all others.
        permuted: One entry a draw.
        none: Without a word.
        seed: Of the resamples, and what is noted as that of the exchanges.

    Raises:
        EvaluationError: The scores are not of the same queries.
    """
    # A draw counts as a repeat, so that a difference is the mean over all draws.
    exchanged = Evidence(_joined(permuted))
    against = Evidence(_joined((own,) * len(permuted)))
    return WordControl(
        own=ranking_scores(own),
        permuted=ranking_scores(exchanged.scores),
        none=ranking_scores(none),
        over_permuted=paired_difference(against, exchanged, seed=seed),
        over_none=paired_difference(Evidence(own), Evidence(none), seed=seed),
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


def _plain(differences: Mapping[str, Difference]) -> dict[str, dict[str, float]]:
    return {name: found.to_dict() for name, found in differences.items()}


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in record.items()}


def _differences(record: Mapping[str, Any]) -> dict[str, Difference]:
    return {str(name): Difference.from_dict(one) for name, one in record.items()}
